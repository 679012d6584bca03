"""Arrays in binary files, compressed or not, memory-mapped."""

from __future__ import annotations

import gzip
import math
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from causalvae.boundary import is_of_system
from causalvae.data.files.refusals import misshapen, require_space
from causalvae.errors import CausalVAEError, first_line

# IDX type codes (yann.lecun.com/exdb/mnist): the third byte of a file; data is big-endian.
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# Type codes of the small NORB format, as little-endian 32-bit integers (cs.nyu.edu/~ylclab/data/norb-v1.0-small).
_NORB_TYPES = {0x1E3D4C51: "<f4", 0x1E3D4C53: "<f8", 0x1E3D4C54: "<i4", 0x1E3D4C55: "<u1", 0x1E3D4C56: "<i2"}
_MOST_AXES = 8
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Layout:
    """Position, shape and type of an array in a stream of bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    order: Literal["C", "F"] = "C"

    @property
    def end(self) -> int:
        """Number of bytes up to the end of the array."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


class MalformedError(Exception):
    """An invalid header: what was expected, what was found, and a remedy, if any."""

    def __init__(self, expected: str, found: str, remedy: str = "") -> None:
        super().__init__(f"expected {expected}; found {found}")
        self.expected = expected
        self.found = found
        self.remedy = remedy


def idx_layout(file: IO[bytes]) -> Layout:
    """The layout in an IDX header: two zero bytes, type, number of axes, then each length, big-endian."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or not 0 < magic[3] <= _MOST_AXES:
        raise MalformedError("an IDX header, such as 00 00 08 03", magic.hex(" ") or "an empty file")
    lengths = _read(file, 4 * magic[3])
    return Layout(np.dtype(_IDX_TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", lengths), 4 + 4 * magic[3])


def norb_layout(file: IO[bytes]) -> Layout:
    """The layout in a small NORB header: type, number of axes, then at least three lengths, little-endian."""
    magic, axes = struct.unpack("<2i", _read(file, 8))
    if magic not in _NORB_TYPES or not 0 < axes <= _MOST_AXES:
        raise MalformedError("a header of the small NORB format, such as 0x1e3d4c55", f"{magic & 0xFFFFFFFF:#x}")
    written = max(3, axes)
    lengths = struct.unpack(f"<{written}i", _read(file, 4 * written))[:axes]
    if min(lengths) < 0:
        raise MalformedError("lengths of axes", f"{min(lengths)}")
    return Layout(np.dtype(_NORB_TYPES[magic]), lengths, 8 + 4 * written)


def npy_layout(file: IO[bytes]) -> Layout:
    """The layout in an npy header; arrays of objects are an error."""
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(file)
    except Exception as error:
        # The header is a Python literal: tokenizer, parser and numpy raise various errors.
        raise MalformedError("an npy header", first_line(error)) from error
    if dtype.hasobject:
        raise MalformedError(
            "numbers or text",
            "Python objects, which are never unpickled",
            "Save text with array.astype(str) and numbers with array.astype(float).",
        )
    if any(length < 0 for length in shape):
        raise MalformedError("lengths of axes", f"{min(shape)}")
    return Layout(dtype, shape, file.tell(), "F" if fortran else "C")


def _read(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise MalformedError(f"{size} more bytes of the header", f"{len(data)}")
    return data


def map_file(path: Path, what: str, layout_of: Callable[[IO[bytes]], Layout], remedy: str) -> npt.NDArray[Any]:
    """The array of a file, memory-mapped and read-only; gzip is unpacked to a temporary file first.

    Parameters
    ----------
    path : Path
        The file; gzip is detected by its first bytes.
    what : str
        Expected content, for error messages.
    layout_of : callable
        Reads the header: `idx_layout`, `norb_layout` or `npy_layout`.
    remedy : str
        Advice for error messages.

    Raises
    ------
    CausalVAEError
        CV231 if the header or the length is wrong, CV233 if there is no space to unpack the file.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with _refusing(path, what, "a whole gzip file" if packed else "a readable array", remedy):
        if packed:
            with gzip.open(path) as stream:
                return _unpack(stream, layout_of)
        with path.open("rb") as file:
            layout = layout_of(file)
        return _map(path, layout, path.stat().st_size)


def members_of(path: Path, what: str, remedy: str) -> list[str]:
    """Names of the arrays of an npz file; CV231 if it is not an npz file."""
    with _refusing(path, what, "a readable npz", remedy), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def map_member(path: Path, member: str, what: str, remedy: str) -> npt.NDArray[Any]:
    """One array of an npz file, memory-mapped and read-only.

    An uncompressed array is mapped in place; a compressed one is unpacked to a temporary file first. Both are read once
    to verify the checksum in the archive.

    Raises
    ------
    CausalVAEError
        CV231, CV233; see `map_file`.
    """
    with _refusing(path, what, "a readable npz", remedy), zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if member not in names:
            raise MalformedError(f"an array {member}", f"{', '.join(names) or 'none'}")
        entry = archive.getinfo(f"{member}.npy")
        if entry.compress_type != zipfile.ZIP_STORED:
            with archive.open(entry) as stream:
                return _unpack(stream, npy_layout)
        with archive.open(entry) as file:
            layout = npy_layout(file)
            # Reads all to verify the checksum, which the map bypasses.
            while file.read(_CHUNK):
                pass
        start = _start_of(path, entry)
        return _map(path, replace(layout, offset=layout.offset + start), start + entry.file_size)


@contextmanager
def _refusing(path: Path, what: str, expected: str, remedy: str) -> Iterator[None]:
    """Convert errors of libraries for damaged files to CV231; system errors pass unchanged."""
    try:
        yield
    except MalformedError as error:
        raise misshapen(path, what, error.expected, error.found, error.remedy or remedy) from error
    except CausalVAEError:
        raise
    except Exception as error:
        if is_of_system(error):
            raise
        raise misshapen(path, what, expected, first_line(error), remedy) from error


def _start_of(path: Path, entry: zipfile.ZipInfo) -> int:
    """Position of the data of a stored member, after its header of variable length."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = _read(file, 30)
    name, extra = struct.unpack("<2H", header[26:30])
    return int(entry.header_offset + 30 + name + extra)


def _map(path: Path | IO[bytes], layout: Layout, size: int) -> npt.NDArray[Any]:
    if size < layout.end:
        raise MalformedError(f"{layout.end} bytes for an array of shape {layout.shape}", f"{size}")
    if math.prod(layout.shape) == 0:
        return np.empty(layout.shape, dtype=layout.dtype)
    return np.memmap(path, dtype=layout.dtype, mode="r", offset=layout.offset, shape=layout.shape, order=layout.order)


def _unpack(stream: IO[bytes] | gzip.GzipFile, layout_of: Callable[[Any], Layout]) -> npt.NDArray[Any]:
    layout = layout_of(stream)
    wanted = layout.end - layout.offset
    remedy = "Set TMPDIR to a folder with more room, or store the arrays uncompressed (numpy.savez)."
    require_space(wanted, "this file", remedy)
    # The map keeps the file open; a file without a name is deleted with the map.
    with tempfile.TemporaryFile(prefix="causalvae-") as file:
        while file.tell() < wanted and (chunk := stream.read(min(_CHUNK, wanted - file.tell()))):
            file.write(chunk)
        # The checksum is verified at the end of the archive.
        stream.read(1)
        file.flush()
        return _map(file, replace(layout, offset=0), file.tell())
