"""3D Shapes (Burgess and Kim 2018), from ``3dshapes.h5`` with images and values of six factors."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from causalvae.data.factors import Factor, FactorSpace
from causalvae.data.files.labelled import GridSamples, rank_levels, rows_of_grid
from causalvae.data.files.pixels import ArrayPictures, Hdf5File, PictureInputs
from causalvae.data.files.refusals import absent
from causalvae.data.official_factors import SHAPES3D

_WHAT = "3D Shapes"
_REMEDY = "Give data.path 3dshapes.h5 as published."
_SIDE: Final = 64
SIZES: Final = tuple(entry.levels for entry in SHAPES3D)


def open_shapes3d(path: Path, sizes: tuple[int, ...] = SIZES) -> GridSamples:
    """Open 3D Shapes; levels are ranks of the values in the file.

    Parameters
    ----------
    path : Path
        The HDF5 file, with ``images``, uint8 (n, 64, 64, 3), and ``labels``, float64 (n, 6).
    sizes : tuple of int
        Number of levels of each factor; those of the complete data set if omitted. Each combination must occur once.

    Raises
    ------
    CausalVAEError
        CV230 if there is no file, CV231 if its layout is wrong, CV232 if h5py is not installed, CV233 if there is no
        space to unpack it.
    """
    if not path.is_file():
        raise absent(path, _WHAT, _REMEDY)
    file = Hdf5File(path, _WHAT, _REMEDY)
    n = int(np.prod(sizes))
    for name, shape, dtype in (("images", (n, _SIDE, _SIDE, 3), "uint8"), ("labels", (n, len(sizes)), "float64")):
        found_shape, found_dtype = file.header(name)
        if found_shape != shape or found_dtype != np.dtype(dtype):
            raise file.refusal(
                f"{name} of shape {shape} and type {dtype}", f"shape {found_shape} and type {found_dtype}"
            )
    labels = file.read("labels")
    levels = np.empty(labels.shape, dtype=np.int64)
    factors = []
    for column, entry in enumerate(SHAPES3D):
        known, levels[:, column] = rank_levels(labels[:, column])
        if len(known) != sizes[column]:
            raise file.refusal(f"{sizes[column]} different values of {entry.name}", f"{len(known)}")
        values, labels_of = tuple(known.tolist()), entry.labels[: len(known)]
        factors.append(Factor(entry.name, entry.kind, values, labels_of, period=entry.period or 1.0))
    row_of = rows_of_grid(sizes, levels)
    if row_of is None:
        missing = n - len(np.unique(levels, axis=0))
        raise file.refusal("every combination of the factors once", f"{missing} of {n} missing")
    facts = {"origin": "official file", "file": path.name}
    return GridSamples(
        "shapes3d", FactorSpace(tuple(factors)), PictureInputs(ArrayPictures(file.map("images"))), facts, row_of
    )
