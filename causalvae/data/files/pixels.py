"""Pictures in files as uint8 arrays with channels last, and as inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from causalvae.boundary import is_of_system
from causalvae.data.factors import IntArray
from causalvae.data.files.refusals import import_extra, misshapen, require_space
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns

if TYPE_CHECKING:
    from torch import Tensor

Bytes = npt.NDArray[np.uint8]

# Bytes of a chunked file that are unpacked at a time.
_SLAB = 1 << 26


class Pictures(Protocol):
    """The interface of pictures by number."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        ...

    def read(self, numbers: IntArray) -> Bytes:
        """Pictures with these numbers, in this order, uint8, (n, height, width, channels)."""
        ...


class ArrayPictures:
    """Pictures as rows of one array.

    Parameters
    ----------
    array : uint8 array, shape (n, height, width, channels)
    """

    def __init__(self, array: Bytes) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        height, width, channels = self._array.shape[1:]
        return height, width, channels

    def read(self, numbers: IntArray) -> Bytes:
        """Pictures with these numbers, uint8, (n, height, width, channels)."""
        return np.asarray(self._array[numbers])


class MadePictures:
    """Pictures made individually by a function, such as by decoding a file.

    Parameters
    ----------
    shape : (int, int, int)
        Height, width and channels of one picture.
    make : callable
        Maps the number of a picture to a uint8 array of that shape.
    """

    def __init__(self, shape: tuple[int, int, int], make: Callable[[int], Bytes]) -> None:
        self._shape, self._make = shape, make

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        return self._shape

    def read(self, numbers: IntArray) -> Bytes:
        """Pictures with these numbers, uint8, (n, height, width, channels)."""
        pictures = np.empty((len(numbers), *self._shape), dtype=np.uint8)
        for position, number in enumerate(numbers):
            pictures[position] = self._make(int(number))
        return pictures


class PictureInputs:
    """Pictures as inputs in [0, 1], with channels first."""

    columns: Columns | None = None

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels, height and width."""
        height, width, channels = self._pictures.shape
        return channels, height, width

    def read(self, numbers: IntArray) -> Tensor:
        """Pictures with these numbers in [0, 1], float32, (n, channels, height, width)."""
        import torch

        channels_first = torch.from_numpy(np.moveaxis(self._pictures.read(numbers), -1, 1))
        # A single channel would otherwise keep channels-last strides.
        return channels_first.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def shrink(picture: Bytes, size: int) -> Bytes:
    """Reduce a picture, (height, width) or (height, width, 3), to (size, size) by averaging."""
    from PIL import Image

    if picture.shape[:2] == (size, size):
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BOX))


def spool(shape: tuple[int, ...], slabs: Iterable[Bytes]) -> Bytes:
    """Write consecutive parts of an array to a temporary file, and memory-map it.

    Parameters
    ----------
    shape : tuple of int
        Shape of the whole array.
    slabs : iterable of uint8 arrays
        Consecutive rows of the array.

    Raises
    ------
    CausalVAEError
        CV233 if there is no space for it.
    """
    require_space(int(np.prod(shape)), "this data", "Set TMPDIR to a folder with more room.")
    # The map keeps the file open; a file without a name is deleted with the map.
    with tempfile.TemporaryFile(prefix="causalvae-") as file:
        for slab in slabs:
            file.write(np.ascontiguousarray(slab).data)
        file.flush()
        return np.memmap(file, dtype=np.uint8, mode="r", shape=shape)


class Hdf5File:
    """An HDF5 file, opened only while reading.

    Parameters
    ----------
    path : Path
    what : str
        Expected content, for error messages.
    remedy : str

    Raises
    ------
    CausalVAEError
        CV231 if it is not an HDF5 file, CV232 if h5py is not installed.
    """

    def __init__(self, path: Path, what: str, remedy: str) -> None:
        self._h5py: Any = import_extra("h5py", "data", path)
        self.path, self.what, self.remedy = path, what, remedy
        if not self._h5py.is_hdf5(path):
            raise self.refusal("an HDF5 file", "something else")

    def refusal(self, expected: str, found: str) -> CausalVAEError:
        """The error CV231 for this file."""
        return misshapen(self.path, self.what, expected, found, self.remedy)

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type of a data set of the file."""
        with self._h5py.File(self.path, "r") as file:
            found = self._find(file, name)
            return tuple(found.shape), np.dtype(found.dtype)

    def read(self, name: str) -> npt.NDArray[Any]:
        """A whole data set of the file."""
        with self._h5py.File(self.path, "r") as file:
            return np.asarray(self._find(file, name)[()])

    def map(self, name: str) -> Bytes:
        """Memory-map a data set of bytes.

        A contiguous data set is mapped in place; a chunked one is unpacked to a temporary file first.
        """
        with self._h5py.File(self.path, "r") as file:
            found = self._find(file, name)
            start = None if found.chunks is not None else found.id.get_offset()
            shape = tuple(found.shape)
            if start is not None:
                return np.memmap(self.path, dtype=np.uint8, mode="r", offset=start, shape=shape)
        return spool(shape, self.slabs(name))

    def slabs(self, name: str) -> Iterator[Bytes]:
        """A data set of bytes in consecutive parts of a few chunks."""
        with self._h5py.File(self.path, "r") as file:
            found = self._find(file, name)
            rows = found.chunks[0] if found.chunks is not None else 1
            step = max(rows, _SLAB // (int(np.prod(found.shape[1:])) or 1) // rows * rows)
            for first in range(0, found.shape[0], step):
                try:
                    slab = found[first : first + step]
                except OSError as error:
                    if is_of_system(error):
                        raise
                    raise self.refusal("readable chunks", str(error)) from error
                yield slab

    def _find(self, file: Any, name: str) -> Any:
        if name not in file or not isinstance(file[name], self._h5py.Dataset):
            raise self.refusal(f"a data set {name}", ", ".join(file) or "none")
        return file[name]
