"""Arrays in files: every header's round trip, mapping in bounded memory, and headers that lie."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest

from causalvae.data.files.binary import idx_layout, map_file, map_member, norb_layout
from causalvae.errors import CausalVAEError
from tests.data.files.writing import idx_bytes, norb_bytes, write_bytes

ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.arange(-5, 7, dtype=np.int32),
    np.arange(48, dtype=np.int32).reshape(12, 4),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.shape))
@pytest.mark.parametrize(("encode", "layout"), [(idx_bytes, idx_layout), (norb_bytes, norb_layout)])
def test_an_array_comes_back_as_it_was_written(tmp_path, array, packed, encode, layout):
    path = write_bytes(tmp_path / "a", encode(array), packed)
    found = map_file(path, "an array", layout, "")
    assert isinstance(found, np.memmap)
    assert found.shape == array.shape
    assert np.array_equal(found, array)


def test_small_norb_headers_have_three_lengths_at_least():
    # What the authors' page says of cat files: 20 bytes, the second and third length without a meaning.
    assert norb_layout(io.BytesIO(norb_bytes(ARRAYS[1]))).offset == 20
    assert norb_layout(io.BytesIO(norb_bytes(np.zeros((2, 2, 3, 3), np.uint8)))).offset == 24


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"MATLAB 5.0 MAT-file", "4d 41 54 4c"),
        (b"\0\0\x08\x03" + struct.pack(">2I", 5, 5), "8"),
        (idx_bytes(ARRAYS[0])[:-1], "39"),
        (idx_bytes(ARRAYS[0])[:4] + b"\xff" * 12 + bytes(24), "40"),
        (gzip.compress(idx_bytes(ARRAYS[0]))[:-12], ""),
        (gzip.compress(idx_bytes(ARRAYS[0])[:-3]), "21"),
    ],
    # Names of their own: gzip writes the time, and workers must collect the same tests.
    ids=["empty", "matlab", "header", "short", "huge", "cut gzip", "short gzip"],
)
def test_other_files_are_refused_with_what_was_found(tmp_path, content, found):
    path = write_bytes(tmp_path / "images", content)
    with pytest.raises(CausalVAEError) as caught:
        map_file(path, "digits", idx_layout, "Give digits.")
    assert caught.value.code == "CV231"
    assert caught.value.place == str(path)
    assert found in caught.value.message
    assert "expected" in caught.value.message
    assert caught.value.remedy == "Give digits."


def test_a_stored_member_is_mapped_where_it_lies_and_a_compressed_one_is_unpacked(tmp_path):
    arrays = {"first": np.arange(7.0), "images": np.arange(60, dtype=np.uint8).reshape(5, 3, 4)}
    np.savez(tmp_path / "stored.npz", **arrays)
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    stored = map_member(tmp_path / "stored.npz", "images", "", "")
    packed = map_member(tmp_path / "packed.npz", "images", "", "")
    for found in (stored, packed):
        assert isinstance(found, np.memmap)
        assert np.array_equal(found, arrays["images"])
    assert stored.filename == tmp_path / "stored.npz"
    assert packed.filename is None


def test_objects_are_never_unpickled(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
        archive.writestr("images.npy", header.getvalue() + b"cposix\nsystem\n(S'touch UNPICKLED'\ntR.")
    with pytest.raises(CausalVAEError, match="never unpickled") as caught:
        map_member(tmp_path / "a.npz", "images", "an npz", "")
    assert caught.value.code == "CV231"


def test_what_finds_no_room_is_not_unpacked(tmp_path, monkeypatch):
    from causalvae.data.files import refusals

    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(refusals.shutil, "disk_usage", lambda path: usage)
    path = write_bytes(tmp_path / "a.gz", idx_bytes(ARRAYS[0]), packed=True)
    with pytest.raises(CausalVAEError) as caught:
        map_file(path, "digits", idx_layout, "")
    assert caught.value.code == "CV233"
