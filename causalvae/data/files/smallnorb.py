"""Small NORB (LeCun, Huang and Bottou 2004): fifty toys from many sides, in its own binary format.

The files end in .mat but are not MATLAB files: a little-endian type code, the number of axes, at least three lengths,
and the numbers. ``dat`` contains stereo pairs of 96 x 96 pixels, ``cat`` the category, ``info`` instance, elevation,
azimuth in units of 10 degrees (even numbers up to 34) and lighting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FactorSpace, IntArray
from causalvae.data.files.binary import map_file, norb_layout
from causalvae.data.files.labelled import GridSamples, rows_of_grid, space_of
from causalvae.data.files.pixels import Bytes, MadePictures, PictureInputs, shrink
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.official_factors import smallnorb_factors

Part = Literal["both", "training", "testing"]

_NAMES: Final = {
    "training": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "testing": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}
_SIDE: Final = 96
_REMEDY = (
    "Give data.path the folder with the files -dat.mat, -cat.mat and -info.mat as published (each may be gzipped), and "
    "data.part training or testing where only one part is there."
)


def open_smallnorb(
    folder: Path, part: Part, camera: Literal["left", "right"], size: int, space: FactorSpace | None = None
) -> GridSamples:
    """Open one part or both of small NORB, with the images of one camera.

    Parameters
    ----------
    folder : Path
    part : {"both", "training", "testing"}
    camera : {"left", "right"}
    size : int
        Width and height in pixels.
    space : FactorSpace, optional
        The grid, of which each point must occur once; that of the part if omitted. Values of instance, elevation,
        azimuth and lighting must be those of small NORB.

    Raises
    ------
    CausalVAEError
        CV230 if files are missing, CV231 if their layout is wrong, CV233 if there is no space to unpack them.
    """
    if not folder.is_dir():
        raise absent(folder, "the folder of small NORB", _REMEDY)
    space = space_of(smallnorb_factors(part)) if space is None else space
    images, labels = [], []
    for name in (part,) if part != "both" else ("training", "testing"):
        found, told = _open_part(folder, _NAMES[name])
        images.append(found)
        labels.append(told)
    levels = _levels(np.concatenate(labels), space, folder)
    row_of = rows_of_grid(space.sizes, levels)
    if row_of is None:
        found_points = f"{len(np.unique(levels, axis=0))} of {len(space)} in {len(levels)} images"
        raise misshapen(folder, "small NORB", "every combination of the factors once", found_points, _REMEDY)
    first, eye = len(images[0]), int(camera == "right")

    def make(number: int) -> Bytes:
        stereo = images[0][number] if number < first else images[1][number - first]
        return shrink(np.asarray(stereo[eye]), size)[:, :, None]

    facts = {"origin": "official files", "part": part, "camera": camera}
    return GridSamples("smallnorb", space, PictureInputs(MadePictures((size, size, 1), make)), facts, row_of)


def _open_part(folder: Path, stem: str) -> tuple[npt.NDArray[Any], IntArray]:
    """Memory-mapped images, and the labels category, instance, elevation, azimuth and lighting, (n, 5)."""
    dat = _open(folder, f"{stem}-dat.mat", "bytes of shape (n, 2, 96, 96)", (2, _SIDE, _SIDE), "uint8")
    cat = _open(folder, f"{stem}-cat.mat", f"{len(dat)} whole numbers", (), "int32", len(dat))
    info = _open(folder, f"{stem}-info.mat", f"whole numbers of shape ({len(dat)}, 4)", (4,), "int32", len(dat))
    return dat, np.column_stack([cat, info]).astype(np.int64)


def _open(
    folder: Path, name: str, expected: str, shape: tuple[int, ...], dtype: str, n: int | None = None
) -> npt.NDArray[Any]:
    path = next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
    if path is None:
        raise absent(folder / name, "plain or with .gz", _REMEDY)
    array = map_file(path, "small NORB", norb_layout, _REMEDY)
    if array.shape[1:] != shape or array.dtype != dtype or not len(array) or n not in (None, len(array)):
        raise misshapen(path, "small NORB", expected, f"shape {array.shape} of {array.dtype}", _REMEDY)
    return array


def _levels(labels: IntArray, space: FactorSpace, folder: Path) -> IntArray:
    instances = np.array([int(label) for label in space["instance"].labels])
    degrees = np.column_stack([30 + 5 * labels[:, 2], 10 * labels[:, 3]])
    columns = (
        (labels[:, 0], np.arange(space["category"].size)),
        (labels[:, 1], instances),
        (degrees[:, 0], np.asarray(space["elevation"].values)),
        (degrees[:, 1], np.asarray(space["azimuth"].values)),
        (labels[:, 4], np.asarray(space["lighting"].values)),
    )
    levels = np.empty(labels.shape, dtype=np.int64)
    for column, (told, known) in enumerate(columns):
        same = told[:, None] == known[None, :]
        if not same.any(axis=1).all():
            odd = labels[np.flatnonzero(~same.any(axis=1))[0], column]
            raise misshapen(folder, "small NORB", f"labels of {space.names[column]} that it has", f"{odd}", _REMEDY)
        levels[:, column] = same.argmax(axis=1)
    return levels
