"""The layouts of the official dSprites npz and hdf5, read without unpickling anything and in bounded memory."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from causalvae.data.dsprites import SIDE
from causalvae.data.factors import FactorSpace, IntArray
from causalvae.data.files.binary import MalformedError, npy_layout
from causalvae.data.files.labelled import rows_of_grid
from causalvae.data.files.pixels import Hdf5File
from causalvae.errors import CausalVAEError

MEMBERS = ("imgs", "latents_values", "latents_classes")
_CHUNK = 1024
# The file's first factor, colour, has one level; the space that this package works with omits it.
_COLUMNS_BEFORE_SPACE = 1

_Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class OfficialFile:
    """A file of the official layout whose labels have been read and checked against a grid.

    Parameters
    ----------
    path : Path
        The npz or hdf5 file, distinguished by its first bytes.
    space : FactorSpace
        The grid of the file, which must contain each point once.

    Attributes
    ----------
    row_of : int array, shape (len(space),)
        Row of the file for each grid point.

    Raises
    ------
    CausalVAEError
        CV201 if there is no such file, CV202 if its layout differs, CV232 if it is HDF5 and h5py is not installed.
    """

    def __init__(self, path: Path, space: FactorSpace) -> None:
        if not path.is_file():
            raise CausalVAEError(
                "CV201",
                f"There is no file {path.name}.",
                "Give data.path the official npz, or delete it: the sprites are then drawn.",
                str(path),
            )
        self.path = path
        self._hdf5 = _opened_hdf5(path)
        if self._hdf5 is None:
            classes, values = self._npz_labels(len(space), len(space.factors) + _COLUMNS_BEFORE_SPACE)
        else:
            classes, values = self._hdf5_labels(self._hdf5, len(space), len(space.factors) + _COLUMNS_BEFORE_SPACE)
        self.row_of = self._rows_of(space, classes, values)

    def _npz_labels(self, n: int, width: int) -> tuple[_Labels, _Labels]:
        """Classes and values, each (n, width)."""
        path = self.path
        try:
            with zipfile.ZipFile(path) as archive:
                present = {name.removesuffix(".npy") for name in archive.namelist()}
                missing = [name for name in MEMBERS if name not in present]
                if missing:
                    raise self._refusal(f"members {', '.join(MEMBERS)}", f"no {', '.join(missing)}")
                with archive.open("imgs.npy") as file:
                    self._expect_header(file, "imgs", (n, SIDE, SIDE), "uint8")
                with archive.open("latents_classes.npy") as file:
                    classes = self._read_labels(file, "latents_classes", (n, width), "int64")
                with archive.open("latents_values.npy") as file:
                    values = self._read_labels(file, "latents_values", (n, width), "float64")
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._refusal("a readable npz", str(error)) from error
        return classes, values

    def _hdf5_labels(self, file: Hdf5File, n: int, width: int) -> tuple[_Labels, _Labels]:
        """Classes and values, each (n, width)."""
        self._expect_hdf5(file, "imgs", (n, SIDE, SIDE), ("uint8",))
        self._expect_hdf5(file, "latents/classes", (n, width), ("int64", "int32"))
        self._expect_hdf5(file, "latents/values", (n, width), ("float64",))
        return file.read("latents/classes"), file.read("latents/values")

    def _expect_hdf5(self, file: Hdf5File, name: str, shape: tuple[int, ...], dtypes: tuple[str, ...]) -> None:
        found_shape, found_dtype = file.header(name)
        if found_shape != shape or found_dtype.name not in dtypes:
            raise self._refusal(
                f"{name} of shape {shape} and type {dtypes[0]}", f"shape {found_shape} and type {found_dtype}"
            )

    def _refusal(self, expected: str, found: str) -> CausalVAEError:
        return CausalVAEError(
            "CV202",
            f"The file is not laid out as the official dSprites: expected {expected}; found {found}.",
            "Give data.path dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz or .hdf5 as published.",
            str(self.path),
        )

    def _expect_header(self, file: IO[bytes], member: str, shape: tuple[int, ...], dtype: str) -> None:
        expected = f"{member} of shape {shape} and type {dtype}"
        try:
            layout = npy_layout(file)
        except MalformedError as error:
            raise self._refusal(expected, error.found) from error
        if layout.shape != shape or layout.dtype != np.dtype(dtype) or layout.order == "F":
            order = " in Fortran order" if layout.order == "F" else ""
            raise self._refusal(expected, f"shape {layout.shape} and type {layout.dtype}{order}")

    def _read_labels(self, file: IO[bytes], member: str, shape: tuple[int, int], dtype: str) -> _Labels:
        self._expect_header(file, member, shape, dtype)
        count = shape[0] * shape[1]
        raw = self._read_exactly(file, count * 8, member)
        # The checksum is verified at the end of the archive.
        file.read(1)
        return np.frombuffer(raw, dtype=dtype).reshape(shape)

    def _read_exactly(self, file: IO[bytes], size: int, member: str) -> bytes:
        data = file.read(size)
        if len(data) != size:
            raise self._refusal(f"{size} more bytes of {member}", f"{len(data)}")
        return data

    def _rows_of(self, space: FactorSpace, classes: _Labels, values: _Labels) -> IntArray:
        levels = classes[:, _COLUMNS_BEFORE_SPACE:].astype(np.int64)
        outside = (levels < 0) | (levels >= np.asarray(space.sizes))
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise self._refusal(
                f"classes of {space.names[column]} below {space.sizes[column]}",
                f"{levels[row, column]} in row {row}",
            )
        row_of = rows_of_grid(space.sizes, levels)
        if row_of is None:
            absent = len(space) - len(np.unique(space.index_of(levels)))
            raise self._refusal("every combination of the factors once", f"{absent} of {len(space)} missing")
        off = np.abs(values[:, _COLUMNS_BEFORE_SPACE:].astype(np.float64) - space.values_of(levels)) > 1e-6
        if off.any():
            row, column = np.argwhere(off)[0]
            raise self._refusal(
                f"{space.names[column]} = {space.values_of(levels[row : row + 1])[0, column]:g} in row {row}",
                f"{values[row, column + _COLUMNS_BEFORE_SPACE]:g}",
            )
        return row_of

    def read_packed(self) -> npt.NDArray[np.uint8]:
        """All images in the order of the file, eight pixels per byte, uint8, (n, 512).

        Raises
        ------
        CausalVAEError
            CV202 if the images are incomplete or not zeros and ones.
        """
        n, pixels = len(self.row_of), SIDE * SIDE
        packed = np.empty((n, pixels // 8), dtype=np.uint8)
        start = 0
        for images in self._npz_chunks() if self._hdf5 is None else self._hdf5.slabs("imgs"):
            chunk = images.reshape(len(images), pixels)
            stop = start + len(chunk)
            if chunk.max() > 1:
                raise self._refusal("pixels that are 0 or 1", f"{chunk.max()} in rows {start} to {stop - 1}")
            packed[start:stop] = np.packbits(chunk, axis=1)
            start = stop
        return packed

    def _npz_chunks(self) -> Iterator[npt.NDArray[np.uint8]]:
        n, pixels = len(self.row_of), SIDE * SIDE
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open("imgs.npy") as file:
                self._expect_header(file, "imgs", (n, SIDE, SIDE), "uint8")
                for start in range(0, n, _CHUNK):
                    count = min(_CHUNK, n - start)
                    raw = self._read_exactly(file, count * pixels, "imgs")
                    yield np.frombuffer(raw, dtype=np.uint8).reshape(count, SIDE, SIDE)
                # The checksum is verified at the end of the archive.
                file.read(1)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._refusal("a readable npz", str(error)) from error


def _opened_hdf5(path: Path) -> Hdf5File | None:
    with path.open("rb") as file:
        # The signature of HDF5; published files have no user block before it.
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            return None
    return Hdf5File(path, "the official dSprites", "Give data.path the npz or the hdf5 as published.")
