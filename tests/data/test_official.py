"""The official npz layout, written here as the original was: with a Python 2 pickle that must stay unread."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from causalvae.data.dataset import OfficialDspritesDataset, open_dataset
from causalvae.data.dsprites import SHAPES, render
from causalvae.data.factors import Factor, FactorSpace
from causalvae.data.kinds.dsprites import DspritesData
from causalvae.errors import CausalVAEError

SMALL = FactorSpace(
    (
        Factor("shape", "categorical", (1.0, 2.0, 3.0), SHAPES),
        Factor("scale", "ordinal", (0.5, 1.0)),
        Factor("orientation", "cyclic", (0.0, 1.0, 2.0, 2 * np.pi)),
        Factor("x", "ordinal", (0.0, 0.5, 1.0)),
        Factor("y", "ordinal", (0.0, 1.0)),
    )
)

# Protocol 0, as Python 2 wrote it: unpickling calls os.system("exit 1") and raises for its result is no array.
HOSTILE = b"cposix\nsystem\n(S'touch UNPICKLED'\ntR."


def official_members(order: np.ndarray | None = None) -> dict[str, np.ndarray]:
    index = np.arange(len(SMALL)) if order is None else order
    levels = SMALL.levels_of(index)
    values = SMALL.values_of(levels)
    ones = np.ones((len(index), 1))
    return {
        "imgs": render(values),
        "latents_values": np.hstack([ones, values]),
        "latents_classes": np.hstack([np.zeros_like(ones, dtype=np.int64), levels]),
    }


def write(path: Path, members: dict[str, np.ndarray], metadata: bytes = HOSTILE) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
        archive.writestr("metadata.npy", header.getvalue() + metadata)
        for name, array in members.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    return path


def test_images_come_back_by_their_levels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = OfficialDspritesDataset(write(tmp_path / "d.npz", official_members()), SMALL)
    levels = dataset.draw(100, np.random.default_rng(0))
    assert np.array_equal(dataset.inputs(levels).numpy()[:, 0], render(SMALL.values_of(levels)))
    assert not (tmp_path / "UNPICKLED").exists()


def test_rows_in_any_order_are_found_by_their_classes(tmp_path):
    order = np.random.default_rng(1).permutation(len(SMALL))
    dataset = OfficialDspritesDataset(write(tmp_path / "d.npz", official_members(order)), SMALL)
    levels = SMALL.levels_of(np.arange(len(SMALL)))
    assert np.array_equal(dataset.inputs(levels).numpy()[:, 0], render(SMALL.values_of(levels)))


def test_facts_name_the_file_and_its_digest(tmp_path):
    import hashlib

    path = write(tmp_path / "d.npz", official_members())
    facts = OfficialDspritesDataset(path, SMALL).describe()
    assert facts["origin"] == "official file"
    assert facts["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts["images"] == len(SMALL)


def _without(name):
    members = official_members()
    del members[name]
    return members


def _changed(name, change):
    members = official_members()
    members[name] = change(members[name])
    return members


def _set(array, where, value):
    array = array.copy()
    array[where] = value
    return array


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (lambda: _without("imgs"), "no imgs"),
        (lambda: _without("latents_classes"), "no latents_classes"),
        (lambda: _changed("imgs", lambda a: a[:-1]), "shape (143, 64, 64)"),
        (lambda: _changed("imgs", lambda a: a[:, :32]), "shape (144, 32, 64)"),
        (lambda: _changed("imgs", lambda a: a.astype(np.float32)), "float32"),
        (lambda: _changed("imgs", np.asfortranarray), "Fortran"),
        (lambda: _changed("imgs", lambda a: a.astype(object)), "object"),
        (lambda: _changed("latents_classes", lambda a: a[:, :5]), "shape (144, 5)"),
        (lambda: _changed("latents_classes", lambda a: _set(a, (3, 2), 2)), "2 in row 3"),
        (lambda: _changed("latents_classes", lambda a: _set(a, (3, 2), -1)), "-1 in row 3"),
        (lambda: _changed("latents_classes", lambda a: _set(a, 3, a[4])), "1 of 144 missing"),
        (lambda: _changed("latents_values", lambda a: _set(a, (7, 4), 0.3)), "0.3"),
    ],
)
def test_another_layout_is_refused_with_what_was_found(tmp_path, members, found):
    path = write(tmp_path / "d.npz", members())
    with pytest.raises(CausalVAEError) as caught:
        OfficialDspritesDataset(path, SMALL)
    assert caught.value.code == "CV202"
    assert found in caught.value.message
    assert "expected" in caught.value.message


def test_pixels_beyond_one_are_refused(tmp_path):
    path = write(tmp_path / "d.npz", _changed("imgs", lambda a: a * 255))
    dataset = OfficialDspritesDataset(path, SMALL)
    with pytest.raises(CausalVAEError, match="255"):
        dataset.inputs(dataset.draw(2, np.random.default_rng(0)))


def test_images_cut_short_are_refused(tmp_path):
    members = official_members()
    path = write(tmp_path / "d.npz", _without("imgs"))
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, members["imgs"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("imgs.npy", buffer.getvalue()[:-5000])
    dataset = OfficialDspritesDataset(path, SMALL)
    with pytest.raises(CausalVAEError) as caught:
        dataset.inputs(dataset.draw(2, np.random.default_rng(0)))
    assert caught.value.code == "CV202"


def test_files_that_are_absent_or_no_archive_are_refused(tmp_path):
    with pytest.raises(CausalVAEError) as caught:
        OfficialDspritesDataset(tmp_path / "none.npz")
    assert caught.value.code == "CV201"
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(CausalVAEError) as caught:
        OfficialDspritesDataset(tmp_path / "text.npz")
    assert caught.value.code == "CV202"


def test_a_spec_section_opens_either(tmp_path):
    drawn = open_dataset(DspritesData(source="dsprites"), tmp_path)
    assert drawn.describe()["origin"].startswith("regenerated")
    write(tmp_path / "small.npz", official_members())
    # The small file is of the right kind, but not the whole grid.
    with pytest.raises(CausalVAEError) as caught:
        open_dataset(DspritesData(source="dsprites", path="small.npz"), tmp_path)
    assert "737280" in caught.value.message


def write_hdf5(path: Path, members: dict[str, np.ndarray], chunked: bool = True) -> Path:
    h5py = pytest.importorskip("h5py")
    names = {"imgs": "imgs", "latents_values": "latents/values", "latents_classes": "latents/classes"}
    with h5py.File(path, "w") as file:
        for name, array in members.items():
            kind = {"chunks": (5, 8, 16), "compression": "gzip"} if chunked and name == "imgs" else {}
            file.create_dataset(names[name], data=array, **kind)
    return path


@pytest.mark.parametrize("chunked", [False, True])
def test_the_hdf5_gives_the_same_images(tmp_path, chunked):
    order = np.random.default_rng(1).permutation(len(SMALL))
    dataset = OfficialDspritesDataset(write_hdf5(tmp_path / "d.hdf5", official_members(order), chunked), SMALL)
    levels = SMALL.levels_of(np.arange(len(SMALL)))
    assert np.array_equal(dataset.inputs(levels).numpy()[:, 0], render(SMALL.values_of(levels)))


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (lambda: _without("imgs"), "latents"),
        (lambda: _without("latents_classes"), "imgs"),
        (lambda: _changed("imgs", lambda a: a[:, :32]), "(144, 32, 64)"),
        (lambda: _changed("latents_values", lambda a: a.astype(np.float32)), "float32"),
        (lambda: _changed("latents_classes", lambda a: _set(a, 3, a[4])), "1 of 144 missing"),
        (lambda: _changed("imgs", lambda a: a * 255), "255"),
    ],
)
def test_another_hdf5_is_refused_with_what_was_found(tmp_path, members, found):
    path = write_hdf5(tmp_path / "d.hdf5", members())
    with pytest.raises(CausalVAEError) as caught:
        OfficialDspritesDataset(path, SMALL).inputs(np.zeros((1, 5), np.int64))
    assert caught.value.code in ("CV202", "CV231")
    assert found in caught.value.message
    assert "hdf5" in caught.value.remedy
