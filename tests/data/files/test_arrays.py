"""Arrays as programs save them: orders, types, columns with names, factors of shape (n, 1), and what is not finite."""

from __future__ import annotations

import errno
import zipfile
from pathlib import Path

import numpy as np
import pytest

from causalvae.data.dataset import open_dataset
from causalvae.data.files import binary
from causalvae.data.kinds.npz import NpzData
from causalvae.errors import CausalVAEError

INPUTS = np.random.default_rng(0).normal(size=(6, 4))


def npz(tmp_path: Path, arrays: dict[str, np.ndarray], write=np.savez, **keys):
    write(tmp_path / "a.npz", **arrays)
    return open_dataset(NpzData.model_validate({"source": "npz", "path": "a.npz", **keys}), tmp_path)


def refusal(tmp_path: Path, arrays: dict[str, np.ndarray], **keys) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        npz(tmp_path, arrays, **keys)
    assert caught.value.place.endswith("a.npz")
    return caught.value


def rows_of(dataset) -> np.ndarray:
    return dataset.inputs(np.arange(dataset.size)[:, None]).numpy()


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f8", ">f8", ">f4", "f2", ">i2", "i8", ">u4", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_type_and_order_of_numbers_is_read(tmp_path, write, dtype, order):
    array = np.asarray(INPUTS * 100 > 0 if dtype == "?" else abs(INPUTS * 100), dtype=dtype, order=order)
    images = np.asfortranarray(array.reshape(6, 2, 2)) if order == "F" else array.reshape(6, 2, 2)
    assert np.array_equal(rows_of(npz(tmp_path, {"inputs": array}, write, scale="none")), array.astype(np.float32))
    assert np.array_equal(
        rows_of(npz(tmp_path, {"inputs": images}, write, scale="none"))[:, 0], images.astype(np.float32)
    )


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 1, 1)])
def test_factors_may_have_axes_of_length_one(tmp_path, shape):
    arrays = {"inputs": INPUTS, "dose": (np.arange(6) % 3).reshape(shape), "kind": np.array(list("abcabc"), "S1")}
    dataset = npz(tmp_path, arrays, factors=["dose", "kind"])
    assert dataset.values(np.arange(6)[:, None])[:, 0].tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.space["kind"].labels == ("a", "b", "c")


def test_text_of_arrays_stays_text(tmp_path):
    arrays = {"inputs": INPUTS, "batch": np.array(["01", "1", "NA", "01", "1", "None"])}
    dataset = npz(tmp_path, arrays, factors=["batch"])
    assert dataset.space["batch"].labels == ("01", "1", "NA", "None")


@pytest.mark.parametrize(
    ("factor", "found"),
    [
        (np.zeros((1, 6)), "(1, 6)"),
        (np.zeros(5), "(5,)"),
        (np.zeros((6, 2)), "(6, 2)"),
        (np.array(3.0), "()"),
        (np.array(["a", None] * 3, dtype=object), "never unpickled"),
    ],
)
def test_other_factors_are_refused(tmp_path, factor, found):
    error = refusal(tmp_path, {"inputs": INPUTS, "dose": factor}, factors=["dose"])
    assert error.code == "CV231"
    assert found in error.message
    assert "astype" in error.remedy if factor.dtype == object else "data.factors.dose" in error.remedy


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("scale", ["none", "found", [-1.0, 1.0]])
@pytest.mark.parametrize("shape", [(6, 4), (6, 2, 2), (6, 1, 2, 2)])
def test_what_networks_cannot_read_is_refused_with_sample_and_position(tmp_path, value, scale, shape):
    array = INPUTS.copy()
    array[3, 2] = value
    if value == 1e300 and scale == "found":
        assert np.isfinite(rows_of(npz(tmp_path, {"inputs": array.reshape(shape)}, scale=scale))).all()
        return
    error = refusal(tmp_path, {"inputs": array.reshape(shape)}, scale=scale)
    assert error.code == "CV235"
    where = ", ".join(map(str, np.argwhere(~(abs(array.reshape(shape)) < 1e9))[0]))
    assert f"inputs[{where}] is {value:g}" in error.message
    assert "sample 3" in error.message


@pytest.mark.parametrize("low", [np.float64, np.float32])
def test_a_factor_that_is_not_finite_is_refused(tmp_path, low):
    dose = np.array([0, 1, 2, 0, np.inf, 2], dtype=low)
    error = refusal(tmp_path, {"inputs": INPUTS, "dose": dose}, factors=["dose"], scale="none")
    assert error.code == "CV235"
    assert "Factor dose is not finite in sample 4" in error.message


def test_columns_have_names_and_keep_how_they_were_scaled(tmp_path):
    genes = np.array(["g1", "g2", "g3", "g4"])
    for names in (genes, genes[:, None], genes.astype("S2")):
        dataset = npz(tmp_path, {"inputs": INPUTS, "genes": names}, names="genes")
        columns = dataset.columns
        assert columns.names == ("g1", "g2", "g3", "g4")
        assert np.allclose(np.array(columns.offset) + np.array(columns.span) * rows_of(dataset), INPUTS, atol=1e-6)
    assert npz(tmp_path, {"inputs": INPUTS}).columns.names == ("0", "1", "2", "3")
    assert npz(tmp_path, {"inputs": INPUTS.reshape(6, 2, 2)}).columns is None


@pytest.mark.parametrize(
    ("arrays", "code", "found"),
    [
        ({"inputs": INPUTS}, "CV234", "genes"),
        ({"inputs": INPUTS, "genes": np.array(["a", "b"])}, "CV231", "(2,)"),
        ({"inputs": INPUTS, "genes": np.array(["a", "b", "c", "a"])}, "CV231", "'a' twice"),
        ({"inputs": INPUTS.reshape(6, 2, 2), "genes": np.array(["a", "b"])}, "CV231", "(6, 2, 2)"),
    ],
)
def test_other_names_are_refused(tmp_path, arrays, code, found):
    error = refusal(tmp_path, arrays, names="genes")
    assert error.code == code
    assert found in error.message


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_flipped_bits_of_inputs_and_factors_are_refused(tmp_path, write):
    arrays = {"inputs": np.random.default_rng(1).integers(0, 256, (60, 8), dtype=np.uint8), "dose": np.arange(60) % 3}
    npz(tmp_path, arrays, write, factors=["dose"])
    whole = (tmp_path / "a.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        spots = [(entry.header_offset + 30 + 10, entry.compress_size) for entry in archive.infolist()]
    for start, length in spots:
        damaged = bytearray(whole)
        damaged[start + length - 9] ^= 1
        (tmp_path / "a.npz").write_bytes(damaged)
        with pytest.raises(CausalVAEError) as caught:
            section = {"source": "npz", "path": "a.npz", "factors": ["dose"]}
            open_dataset(NpzData.model_validate(section), tmp_path)
        assert caught.value.code == "CV231"
        assert "a.npz" in caught.value.place


@pytest.mark.parametrize(
    "header", ["{" * 3000, "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2)}", "1" + "0" * 9000]
)
def test_a_broken_header_is_refused_as_a_fault_of_the_file(tmp_path, header):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("inputs.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    with pytest.raises(CausalVAEError) as caught:
        open_dataset(NpzData.model_validate({"source": "npz", "path": "a.npz"}), tmp_path)
    assert caught.value.code == "CV231"


def test_a_full_disk_is_not_blamed_on_the_file(tmp_path, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(binary.tempfile, "TemporaryFile", full)
    with pytest.raises(CausalVAEError) as caught:
        npz(tmp_path, {"inputs": INPUTS}, np.savez_compressed)
    assert caught.value.code == "CV410"
    assert "No space left" in caught.value.message


@pytest.mark.parametrize(
    ("stored", "read"),
    [((5, 1, 64), (1, 64)), ((5, 2, 1024), (2, 1024)), ((5, 1, 63), (1, 1, 63)), ((5, 3, 64), (1, 3, 64))],
)
def test_waves_keep_their_channels(tmp_path: Path, stored: tuple[int, ...], read: tuple[int, ...]) -> None:
    waves = np.random.default_rng(0).random(stored).astype(np.float32)
    dataset = npz(tmp_path, {"waves": waves}, inputs="waves", scale="none")
    assert dataset.input_shape == read
    np.testing.assert_array_equal(rows_of(dataset), waves.reshape(5, *read))
