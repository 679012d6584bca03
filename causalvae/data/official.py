"""The layout of the official dSprites npz, read without unpickling anything and in bounded memory."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from causalvae.data.dsprites import SIDE
from causalvae.data.factors import FactorSpace, IntArray
from causalvae.errors import CausalVAEError

MEMBERS = ("imgs", "latents_values", "latents_classes")
_CHUNK = 1024
# The file's first factor, colour, has one level; the space that this package works with leaves it out.
_COLUMNS_BEFORE_SPACE = 1


class OfficialFile:
    """A file of the official layout whose labels have been read and checked against a grid.

    Parameters
    ----------
    path : Path
        The npz file.
    space : FactorSpace
        The grid that it must hold, every point once.

    Attributes
    ----------
    row_of : int array, shape (len(space),)
        For each grid point the file's row that shows it.

    Raises
    ------
    CausalVAEError
        CV201 where there is no such file, CV202 where its layout differs.
    """

    def __init__(self, path: Path, space: FactorSpace) -> None:
        if not path.is_file():
            raise CausalVAEError(
                "CV201",
                f"There is no file {path.name}.",
                "Give data.path the official npz, or leave it out to have the sprites drawn.",
                str(path),
            )
        self.path = path
        n, width = len(space), len(space.factors) + _COLUMNS_BEFORE_SPACE
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
        self.row_of = self._rows_of(space, classes, values)

    def _refusal(self, expected: str, found: str) -> CausalVAEError:
        return CausalVAEError(
            "CV202",
            f"The file is not laid out as the official dSprites npz: expected {expected}; found {found}.",
            "Give data.path dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz as published.",
            str(self.path),
        )

    def _expect_header(self, file: IO[bytes], member: str, shape: tuple[int, ...], dtype: str) -> None:
        expected = f"{member} of shape {shape} and type {dtype}"
        try:
            version = np.lib.format.read_magic(file)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            found_shape, fortran_order, found_dtype = reader(file)
        except ValueError as error:
            raise self._refusal(expected, str(error)) from error
        if found_shape != shape or found_dtype != np.dtype(dtype) or fortran_order:
            order = " in Fortran order" if fortran_order else ""
            raise self._refusal(expected, f"shape {found_shape} and type {found_dtype}{order}")

    def _read_labels(
        self, file: IO[bytes], member: str, shape: tuple[int, int], dtype: str
    ) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
        self._expect_header(file, member, shape, dtype)
        count = shape[0] * shape[1]
        return np.frombuffer(self._read_exactly(file, count * 8, member), dtype=dtype).reshape(shape)

    def _read_exactly(self, file: IO[bytes], size: int, member: str) -> bytes:
        data = file.read(size)
        if len(data) != size:
            raise self._refusal(f"{size} more bytes of {member}", f"{len(data)}")
        return data

    def _rows_of(
        self,
        space: FactorSpace,
        classes: npt.NDArray[np.int64] | npt.NDArray[np.float64],
        values: npt.NDArray[np.generic],
    ) -> IntArray:
        levels = classes[:, _COLUMNS_BEFORE_SPACE:].astype(np.int64)
        outside = (levels < 0) | (levels >= np.asarray(space.sizes))
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise self._refusal(
                f"classes of {space.names[column]} below {space.sizes[column]}",
                f"{levels[row, column]} in row {row}",
            )
        index = space.index_of(levels)
        row_of = np.full(len(space), -1, dtype=np.int64)
        row_of[index] = np.arange(len(index))
        absent = int((row_of < 0).sum())
        if absent:
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
        """All images in file order, eight pixels a byte: uint8 array, shape (n, 512).

        Raises
        ------
        CausalVAEError
            CV202 where the images are cut short or are not zeros and ones.
        """
        n, pixels = len(self.row_of), SIDE * SIDE
        packed = np.empty((n, pixels // 8), dtype=np.uint8)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open("imgs.npy") as file:
                self._expect_header(file, "imgs", (n, SIDE, SIDE), "uint8")
                for start in range(0, n, _CHUNK):
                    stop = min(start + _CHUNK, n)
                    raw = self._read_exactly(file, (stop - start) * pixels, "imgs")
                    chunk = np.frombuffer(raw, dtype=np.uint8).reshape(stop - start, pixels)
                    if chunk.max() > 1:
                        raise self._refusal("pixels that are 0 or 1", f"{chunk.max()} in rows {start} to {stop - 1}")
                    packed[start:stop] = np.packbits(chunk, axis=1)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._refusal("a readable npz", str(error)) from error
        return packed
