"""Cars3D (Reed et al. 2015): rendered cars from 24 azimuths and 4 elevations, one MATLAB file per car."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from causalvae.boundary import is_of_system
from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.files.labelled import GridSamples, space_of
from causalvae.data.files.pixels import Bytes, PictureInputs, shrink, spool
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.official_factors import CARS3D

_ELEVATIONS: Final = 4
_AZIMUTHS: Final = 24
_SIDE: Final = 128
_REMEDY = "Give data.path the folder cars with its 183 .mat files as published."


class CarPictures:
    """The pictures of all cars, unpacked to a temporary file on demand, in the order car, azimuth, elevation."""

    def __init__(self, files: tuple[Path, ...], size: int) -> None:
        self._files, self._size = files, size

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one picture."""
        return self._size, self._size, 3

    def read(self, numbers: IntArray) -> Bytes:
        """Pictures with these numbers, uint8, (n, size, size, 3)."""
        return np.asarray(self._all[numbers])

    @cached_property
    def _all(self) -> Bytes:
        count = len(self._files) * _AZIMUTHS * _ELEVATIONS
        return spool((count, *self.shape), self._cars())

    def _cars(self) -> Iterator[Bytes]:
        for path in self._files:
            turned = np.moveaxis(read_car(path), (3, 4), (0, 1)).reshape(-1, _SIDE, _SIDE, 3)
            yield np.stack([shrink(np.ascontiguousarray(picture), self._size) for picture in turned])


def read_car(path: Path) -> Bytes:
    """Read ``im`` of one file, uint8, (128, 128, 3, 24, 4); CV231 if it is not of that shape and type."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    what = "a car of Cars3D"
    try:
        found = loadmat(path, variable_names=["im"]).get("im")
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError) as error:
        if is_of_system(error):
            raise
        raise misshapen(path, what, "a MATLAB file before version 7.3", str(error), _REMEDY) from error
    shape = (_SIDE, _SIDE, 3, _AZIMUTHS, _ELEVATIONS)
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.uint8:
        said = f"shape {found.shape} of {found.dtype}" if isinstance(found, np.ndarray) else "no im"
        raise misshapen(path, what, f"im of shape {shape} and type uint8", said, _REMEDY)
    return found


def open_cars3d(folder: Path, size: int, cars: int = CARS3D[2].levels) -> GridSamples:
    """Open Cars3D.

    Parameters
    ----------
    folder : Path
    size : int
        Width and height in pixels.
    cars : int
        Number of files.

    Raises
    ------
    CausalVAEError
        CV230 if there is no such folder, CV231 if it has other files. The layout of the first file is checked here,
        that of the others when pictures are read.
    """
    if not folder.is_dir():
        raise absent(folder, "the folder of Cars3D", _REMEDY)
    # Sorted, so that the number of a car does not depend on the file system.
    files = tuple(sorted(folder.glob("*.mat")))
    if len(files) != cars:
        raise misshapen(folder, "Cars3D", f"{cars} .mat files", f"{len(files)}", _REMEDY)
    read_car(files[0])
    elevation, azimuth, car = space_of(CARS3D).factors
    space = FactorSpace((elevation, azimuth, Factor(car.name, car.kind, car.values[:cars])))
    levels = space.levels_of(np.arange(len(space)))
    row_of = (levels[:, 2] * _AZIMUTHS + levels[:, 1]) * _ELEVATIONS + levels[:, 0]
    facts = {"origin": "official files"}
    return GridSamples("cars3d", space, PictureInputs(CarPictures(files, size)), facts, row_of)
