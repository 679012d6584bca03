"""Factors of official data sets, known without opening their files.

A test compares them with the data sets.
"""

from __future__ import annotations

import math
from typing import Final

from causalvae.spec.entries import FactorEntry

CELEBA_ATTRIBUTES: Final = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)


def celeba_factor(attribute: str) -> str:
    """Name of the factor of an attribute, such as _5_o_Clock_Shadow, since names cannot begin with a digit."""
    return f"_{attribute}" if attribute[0].isdigit() else attribute


def _categorical(name: str, *labels: str) -> FactorEntry:
    return FactorEntry(name, "categorical", len(labels), 0.0, len(labels) - 1.0, labels)


SMALLNORB_INSTANCES: Final = {
    "training": (4, 6, 7, 8, 9),
    "testing": (0, 1, 2, 3, 5),
    "both": tuple(range(10)),
}


def smallnorb_factors(part: str) -> tuple[FactorEntry, ...]:
    """The factors of one or both parts of small NORB; angles are in degrees."""
    return (
        _categorical("category", "animal", "human", "airplane", "truck", "car"),
        _categorical("instance", *map(str, SMALLNORB_INSTANCES[part])),
        FactorEntry("elevation", "ordinal", 9, 30.0, 70.0),
        FactorEntry("azimuth", "cyclic", 18, 0.0, 340.0, period=360.0),
        FactorEntry("lighting", "categorical", 6, 0.0, 5.0),
    )


MORPHOMNIST: Final = (
    _categorical("digit", *"0123456789"),
    FactorEntry("thickness", "continuous", 0, 0.5, 7.0),
    FactorEntry("intensity", "continuous", 0, 64.0, 255.0),
)

# The values of the levels are read from the file, since descriptions disagree.
SHAPES3D: Final = (
    *(FactorEntry(f"{what}_hue", "cyclic", 10, math.nan, math.nan, period=1.0) for what in ("floor", "wall", "object")),
    FactorEntry("scale", "ordinal", 8, math.nan, math.nan),
    FactorEntry("shape", "categorical", 4, math.nan, math.nan, ("cube", "cylinder", "sphere", "capsule")),
    FactorEntry("orientation", "ordinal", 15, math.nan, math.nan),
)

_SIMPLE: Final = (
    _categorical("object_color", "white", "green", "red", "blue", "brown", "olive"),
    _categorical("object_shape", "cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere"),
)
_COMPLEX: Final = (
    _categorical("object_color", "yellow", "green", "olive", "red"),
    _categorical("object_shape", "coffee_cup", "tennis_ball", "croissant", "beer_cup"),
)
_MPI3D: Final = (
    _categorical("object_size", "small", "large"),
    _categorical("camera_height", "top", "center", "bottom"),
    _categorical("background_color", "purple", "sea_green", "salmon"),
    FactorEntry("horizontal_axis", "ordinal", 40, 0.0, 39.0),
    FactorEntry("vertical_axis", "ordinal", 40, 0.0, 39.0),
)


def mpi3d_factors(variant: str) -> tuple[FactorEntry, ...]:
    """The factors of a variant of MPI3D; levels are numbered as in its files."""
    return (*(_COMPLEX if variant == "complex" else _SIMPLE), *_MPI3D)


CARS3D: Final = (
    FactorEntry("elevation", "ordinal", 4, 0.0, 3.0),
    FactorEntry("azimuth", "cyclic", 24, 0.0, 345.0, period=360.0),
    FactorEntry("car", "categorical", 183, 0.0, 182.0),
)

CELEBA: Final = tuple(
    FactorEntry(celeba_factor(attribute), "categorical", 2, -1.0, 1.0, ("no", "yes"), settable=False)
    for attribute in CELEBA_ATTRIBUTES
)
