"""Coloured shapes in RGB: one flat shape on a flat grey background, drawn with soft edges.

Coordinates are in pixels: x to the right, y downwards, the centre of the first pixel at (0.5, 0.5). The coverage of a
pixel is ``clip(1/2 - d, 0, 1)``, where d is the signed distance of its centre to the edge of the shape in pixels: the
exact share inside the shape for an edge along the grid, and approximate for others. Colours of shape and background are
mixed in that proportion.

All shapes have the area of a circle of radius ``size``: a square, an equilateral triangle, an ellipse with axes 2:1, a
cross whose arms are a third as wide as it is long. They rotate about their centre of mass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FloatArray
from causalvae.spec.worlds import SHAPE_KINDS

Pixels = npt.NDArray[np.float32]

# Number of pictures drawn together: arrays of 4 MB for 64 x 64 pixels.
_AT_ONCE: Final = 256
_SQUARE: Final = math.sqrt(math.pi) / 2
_INNER: Final = math.sqrt(math.pi / (3 * math.sqrt(3)))
_ARM: Final = math.sqrt(9 * math.pi / 20)
_ASPECT: Final = math.sqrt(2)
# For each kind, in radii of the circle of equal area: maximum distance from the centre, and standard deviations along
# the longer and the shorter axis.
_REACH: Final = np.array([1.0, _SQUARE * math.sqrt(2), 2 * _INNER, _ASPECT, _ARM * math.sqrt(10) / 3])
_MAJOR: Final = np.array(
    [0.5, _SQUARE / math.sqrt(3), _INNER / math.sqrt(2), _ASPECT / 2, _ARM * math.sqrt(116 * 9 / (243 * 20))]
)
_MINOR: Final = np.array([*_MAJOR[:3], 0.5 / _ASPECT, _MAJOR[4]])
# Minimum contrast and saturation for which readouts are defined.
_LEAST_CONTRAST: Final = 0.15
_LEAST_COLOUR: Final = 0.1


class ShapesWorld:
    """Draws shapes.

    Parameters
    ----------
    side : int
        Width and height in pixels.
    """

    name = "shapes"

    def __init__(self, side: int) -> None:
        self.side = side
        self.input_shape = (3, side, side)

    def render(self, values: Mapping[str, FloatArray]) -> Pixels:
        """Draw pictures.

        Parameters
        ----------
        values : mapping
            All variables of the shapes world (`causalvae.spec.worlds.WORLDS`), each (n,); ``shape`` is the index in
            `SHAPE_KINDS`.

        Returns
        -------
        float32 array, shape (n, 3, side, side)
            RGB in [0, 1].
        """
        inner, outer = colours(values)
        pictures = np.empty((len(inner), 3, self.side, self.side), dtype=np.float32)
        for start in range(0, len(inner), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            covered = self._coverage({name: column[part] for name, column in values.items()})
            front = inner[part].astype(np.float32)[:, :, None, None]
            behind = outer[part].astype(np.float32)[:, :, None, None]
            pictures[part] = behind + (front - behind) * covered[:, None]
        return pictures

    def _coverage(self, values: Mapping[str, FloatArray]) -> Pixels:
        """Share of each pixel inside the shape, float32, (n, side, side)."""
        grid = (np.arange(self.side) + 0.5)[None, :]
        cos, sin = (turn(values["angle"])[:, None, None].astype(np.float32) for turn in (np.cos, np.sin))
        dx = (grid - values["x"][:, None] * self.side).astype(np.float32)[:, None, :]
        dy = (grid - values["y"][:, None] * self.side).astype(np.float32)[:, :, None]
        u, v = cos * dx - sin * dy, sin * dx + cos * dy
        radius = (values["size"] * self.side).astype(np.float32)
        distance = np.empty(u.shape, dtype=np.float32)
        kinds = values["shape"].round().astype(np.int64)
        for kind, measure in enumerate((_from_circle, _from_square, _from_triangle, _from_ellipse, _from_cross)):
            chosen = kinds == kind
            if chosen.any():
                distance[chosen] = measure(u[chosen], v[chosen], radius[chosen][:, None, None])
        return np.asarray(np.clip(np.float32(0.5) - distance, 0, 1))

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """True values of readouts by name, each (n,).

        For the continuous shape: ``area``, ``centroid x``, ``centroid y``, ``extent major`` and ``extent minor`` in
        pixels, ``orientation`` of ellipses in radians modulo pi; ``hue`` in turns, ``saturation`` and ``brightness``
        (the maximum of red, green and blue) of its colour. nan if the shape is not completely visible or hardly differs
        from the background.
        """
        kind = values["shape"].round().astype(np.int64)
        radius = values["size"] * self.side
        x, y = values["x"] * self.side, values["y"] * self.side
        reach = _REACH[kind] * radius + 1
        inside = (np.minimum(x, y) >= reach) & (np.maximum(x, y) <= self.side - reach)
        inner, outer = colours(values)
        inside &= np.sqrt(((inner - outer) ** 2).sum(axis=1)) >= _LEAST_CONTRAST
        ellipse = kind == SHAPE_KINDS.index("ellipse")
        coloured = inside & (values["saturation"] * values["brightness"] >= _LEAST_COLOUR)
        seen = {
            "area": (np.pi * radius**2, inside),
            "centroid x": (x, inside),
            "centroid y": (y, inside),
            "orientation": (values["angle"] % np.pi, inside & ellipse),
            "extent major": (_MAJOR[kind] * radius, inside),
            "extent minor": (_MINOR[kind] * radius, inside),
            "hue": (values["hue"] % 1.0, coloured),
            "saturation": (values["saturation"], inside & (values["brightness"] >= _LEAST_COLOUR)),
            "brightness": (values["brightness"], inside),
        }
        return {name: np.where(known, found, np.nan) for name, (found, known) in seen.items()}


def colours(values: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """RGB of shapes and of backgrounds, each (n, 3)."""
    inner = hsv_to_rgb(values["hue"], values["saturation"], values["brightness"])
    return inner, np.repeat(values["background"][:, None], 3, axis=1)


def hsv_to_rgb(hue: FloatArray, saturation: FloatArray, brightness: FloatArray) -> FloatArray:
    """RGB, (n, 3), from hue in turns, saturation and value, each (n,), by the hexcone model (Smith 1978)."""
    sector = (np.array([5.0, 3.0, 1.0])[None, :] + 6.0 * hue[:, None]) % 6.0
    ramp = np.clip(np.minimum(sector, 4.0 - sector), 0.0, 1.0)
    return np.asarray(brightness[:, None] * (1.0 - saturation[:, None] * ramp))


def _from_circle(u: Pixels, v: Pixels, radius: Pixels) -> Pixels:
    return np.asarray(np.sqrt(u * u + v * v) - radius)


def _from_square(u: Pixels, v: Pixels, radius: Pixels) -> Pixels:
    return np.asarray(np.maximum(np.abs(u), np.abs(v)) - np.float32(_SQUARE) * radius)


def _from_triangle(u: Pixels, v: Pixels, radius: Pixels) -> Pixels:
    # Pointing upwards at angle 0: a horizontal side below, and two slanted ones.
    leaning = np.float32(math.sqrt(3) / 2) * np.abs(u) - np.float32(0.5) * v
    return np.asarray(np.maximum(v, leaning) - np.float32(_INNER) * radius)


def _from_ellipse(u: Pixels, v: Pixels, radius: Pixels) -> Pixels:
    # To first order: f (f - 1) / |grad f^2 / 2| for the ellipse f = 1.
    along, across = u / (np.float32(_ASPECT) * radius), v / (radius / np.float32(_ASPECT))
    level = np.sqrt(along * along + across * across)
    slope_u, slope_v = along / (np.float32(_ASPECT) * radius), across / (radius / np.float32(_ASPECT))
    slope = np.sqrt(slope_u * slope_u + slope_v * slope_v)
    return np.where(slope > 0, level * (level - 1) / np.where(slope > 0, slope, 1), -radius).astype(np.float32)


def _from_cross(u: Pixels, v: Pixels, radius: Pixels) -> Pixels:
    across, down = np.abs(u), np.abs(v)
    length = np.float32(_ARM) * radius
    width = length / np.float32(3)
    lying = np.maximum(across - length, down - width)
    return np.asarray(np.minimum(lying, np.maximum(across - width, down - length)))
