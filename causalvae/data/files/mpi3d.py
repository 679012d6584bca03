"""MPI3D (Gondal et al. 2019), from its npz with images in the order of the full grid of seven factors."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from causalvae.data.factors import FactorSpace
from causalvae.data.files.binary import map_member
from causalvae.data.files.labelled import GridSamples, space_of
from causalvae.data.files.pixels import ArrayPictures, PictureInputs
from causalvae.data.files.refusals import absent, misshapen
from causalvae.data.official_factors import mpi3d_factors

Variant = Literal["toy", "realistic", "real", "complex"]

_WHAT = "MPI3D"
_SIDE: Final = 64


def open_mpi3d(path: Path, variant: Variant, space: FactorSpace | None = None) -> GridSamples:
    """Open MPI3D; the images are memory-mapped, and unpacked to a temporary file first if compressed.

    Parameters
    ----------
    path : Path
        The npz file, with ``images``, uint8 (n, 64, 64, 3), the last factor varying fastest.
    variant : {"toy", "realistic", "real", "complex"}
    space : FactorSpace, optional
        The grid of the file; that of the variant if omitted.

    Raises
    ------
    CausalVAEError
        CV230 if there is no file, CV231 if its layout is wrong, CV233 if there is no space to unpack it.
    """
    remedy = f"Give data.path the npz of MPI3D as published, and data.variant what it holds, here {variant}."
    if not path.is_file():
        raise absent(path, _WHAT, remedy)
    space = space_of(mpi3d_factors(variant)) if space is None else space
    images = map_member(path, "images", _WHAT, remedy)
    shape = (len(space), _SIDE, _SIDE, 3)
    if images.shape != shape or images.dtype != "uint8":
        found = f"shape {images.shape} and type {images.dtype}"
        raise misshapen(path, _WHAT, f"images of shape {shape} and type uint8", found, remedy)
    facts = {"origin": "official file", "file": path.name, "variant": variant}
    return GridSamples("mpi3d", space, PictureInputs(ArrayPictures(images)), facts)
