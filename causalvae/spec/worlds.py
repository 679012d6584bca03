"""The variables that each world shows: meaning, bounds and defaults.

`causalvae.data.shapes_world` and `causalvae.data.tones` draw them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class WorldVariable:
    """A variable that a world shows.

    Parameters
    ----------
    name, meaning, unit : str
    default : float or str
        Value if the spec declares no variable with this name.
    low, high : float
        Bounds of its values.
    choices : tuple of str
        Labels of its levels; such a variable is categorical, and `low` and `high` do not matter.
    """

    name: str
    meaning: str
    unit: str
    default: float | str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()


SHAPE_KINDS: Final = ("circle", "square", "triangle", "ellipse", "cross")

WORLDS: Final[dict[str, tuple[WorldVariable, ...]]] = {
    "shapes": (
        WorldVariable("shape", "what is drawn", "", "circle", choices=SHAPE_KINDS),
        WorldVariable("size", "radius of the circle of equal area", "sides of the picture", 0.2, 0.02, 0.5),
        WorldVariable("x", "horizontal place of the centre, rightwards", "sides of the picture", 0.5, 0.0, 1.0),
        WorldVariable("y", "vertical place of the centre, downwards", "sides of the picture", 0.5, 0.0, 1.0),
        WorldVariable("angle", "counter-clockwise turn", "radians", 0.0),
        WorldVariable("hue", "colour: 0 red, 1/3 green, 2/3 blue, 1 red again", "turns", 0.0),
        WorldVariable("saturation", "0 grey, 1 pure colour", "", 1.0, 0.0, 1.0),
        WorldVariable("brightness", "the largest of red, green and blue", "", 1.0, 0.0, 1.0),
        WorldVariable("background", "grey level behind the shape", "", 0.0, 0.0, 1.0),
    ),
    "tones": (
        WorldVariable("pitch", "frequency of the fundamental", "Hz", 440.0, 20.0, math.inf),
        WorldVariable("loudness", "amplitude: 1 is as loud as never clips", "", 0.8, 0.0, 1.0),
        WorldVariable("timbre", "amplitude of each harmonic as a share of the one below", "", 0.3, 0.0, 1.0),
        WorldVariable("decay", "how fast the tone fades: loudness falls as exp(-decay t)", "1/s", 0.0, 0.0, math.inf),
        WorldVariable("phase", "of the fundamental when the sound begins", "radians", 0.0),
    ),
    "table": (),
}


def shown_by(world: str) -> tuple[str, ...]:
    """Names of the variables that a world shows; empty for the table, which shows all declared ones."""
    return tuple(variable.name for variable in WORLDS[world])
