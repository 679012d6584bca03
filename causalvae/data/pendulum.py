"""A pendulum, a light and the shade that they cast: the scene of CausalVAE (Yang et al. 2021), from its equations.

The pendulum hangs at angle theta from (10, 10.5), its bob 8 below; the sun stands where the line through the pivot at
angle phi meets the height 20.5; the ground is at -0.5. A point (x, y) casts its shade at ``x - (y + 0.5) cot(phi)``.
With p1 the shade of the pivot and p2 that of a point 9.5 below it along the pendulum,

    shade_length = max(3, |p1 - p2|),    shade_position = (p1 + p2) / 2

without noise: the two angles, drawn from the grid of the original (theta from -40 to 43, phi from 60 to 147, both in
steps of pi / 200), determine the rest. About 40 % of the lengths are clipped at 3, where do(pendulum) and do(light)
change only the position. The original omits phi = pi / 2, where its formula is infinite; it is included here. The
pictures are drawn here from the same coordinates; their pixels differ from those of the original plotting library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FloatArray

Pixels = npt.NDArray[np.float32]

GROUND: Final = -0.5
PIVOT: Final = (10.0, 10.5)
SUN_HEIGHT: Final = 20.5
LENGTH: Final = 8.0
BOB: Final = 1.5
SUN: Final = 3.0
# The visible part of the plane: 22 units in both directions.
LEFT: Final = -1.0
TOP: Final = 21.0
SPAN: Final = 22.0
SHADE_THICKNESS: Final = 1.0
ROD_THICKNESS: Final = 0.6
# Parts of the picture, as shares of its height, with only the sun and only the shade.
SUN_ROWS: Final = (0.0, 0.18)
SHADE_ROWS: Final = (0.94, 1.0)

_ORANGE = (1.0, 165 / 255, 0.0)
_FIREBRICK = (178 / 255, 34 / 255, 34 / 255)
_BLACK = (0.0, 0.0, 0.0)
_AT_ONCE = 256


class PendulumWorld:
    """Draws the scene.

    Parameters
    ----------
    side : int
        Width and height in pixels.
    """

    name = "pendulum"

    def __init__(self, side: int) -> None:
        self.side = side
        self.input_shape = (3, side, side)

    def render(self, values: Mapping[str, FloatArray]) -> Pixels:
        """Draw pictures.

        Parameters
        ----------
        values : mapping
            ``pendulum`` and ``light`` in radians, ``shade_length`` and ``shade_position`` in units of the scene, each
            of shape (n,). The shade is drawn as given, even if it is inconsistent with the angles.

        Returns
        -------
        float32 array, shape (n, 3, side, side)
            RGB in [0, 1], on white.
        """
        n = len(values["pendulum"])
        pictures = np.ones((n, 3, self.side, self.side), dtype=np.float32)
        for start in range(0, n, _AT_ONCE):
            part = {name: column[start : start + _AT_ONCE] for name, column in values.items()}
            canvas = pictures[start : start + _AT_ONCE]
            bob_x, bob_y = bob_at(part["pendulum"])
            sun_x = sun_at(part["light"])
            half, middle = part["shade_length"] / 2, part["shade_position"]
            ground = np.full_like(middle, GROUND)
            self._paint(canvas, self._disc(sun_x, np.full_like(sun_x, SUN_HEIGHT), SUN), _ORANGE)
            self._paint(canvas, self._bar(middle - half, ground, middle + half, ground, SHADE_THICKNESS), _BLACK)
            pivot_x, pivot_y = (np.full_like(bob_x, at) for at in PIVOT)
            self._paint(canvas, self._bar(pivot_x, pivot_y, bob_x, bob_y, ROD_THICKNESS), _BLACK)
            self._paint(canvas, self._disc(bob_x, bob_y, BOB), _FIREBRICK)
        return pictures

    def _paint(self, canvas: Pixels, distance: Pixels, colour: tuple[float, float, float]) -> None:
        """Paint pixels inside a shape with a colour, with soft edges; `distance` is signed, negative inside."""
        covered = np.clip(np.float32(0.5) - distance, 0, 1)[:, None]
        canvas += covered * (np.asarray(colour, dtype=np.float32)[None, :, None, None] - canvas)

    def _offsets(self, x: FloatArray, y: FloatArray) -> tuple[Pixels, Pixels]:
        """Offsets in pixels from points of the scene to the centre of each pixel, y downwards."""
        grid = np.arange(self.side) + 0.5
        dx = grid[None, :] - self.column_of(x)[:, None]
        dy = grid[None, :] - self.row_of(y)[:, None]
        return dx.astype(np.float32)[:, None, :], dy.astype(np.float32)[:, :, None]

    def column_of(self, x: FloatArray) -> FloatArray:
        """Convert x of the scene to pixels from the left edge."""
        return np.asarray((x - LEFT) / SPAN * self.side)

    def row_of(self, y: FloatArray) -> FloatArray:
        """Convert y of the scene to pixels from the upper edge."""
        return np.asarray((TOP - y) / SPAN * self.side)

    def _disc(self, x: FloatArray, y: FloatArray, radius: float) -> Pixels:
        dx, dy = self._offsets(x, y)
        return np.asarray(np.sqrt(dx * dx + dy * dy) - np.float32(radius / SPAN * self.side))

    def _bar(self, x: FloatArray, y: FloatArray, to_x: FloatArray, to_y: FloatArray, thickness: float) -> Pixels:
        """Signed distance to the edge of a bar with square ends, negative inside, (n, side, side)."""
        dx, dy = self._offsets((x + to_x) / 2, (y + to_y) / 2)
        along_x, along_y = (to_x - x) / SPAN * self.side, -(to_y - y) / SPAN * self.side
        length = np.hypot(along_x, along_y)
        cos = (along_x / np.maximum(length, 1e-9)).astype(np.float32)[:, None, None]
        sin = (along_y / np.maximum(length, 1e-9)).astype(np.float32)[:, None, None]
        half = (length / 2).astype(np.float32)[:, None, None]
        along = np.abs(cos * dx + sin * dy) - half
        across = np.abs(cos * dy - sin * dx) - np.float32(thickness / 2 / SPAN * self.side)
        return np.asarray(np.maximum(along, across))

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """True values of readouts by name, each (n,).

        ``area`` and ``centroid x`` of the rows with the shade, and ``centroid x`` of those with the sun, in pixels; nan
        if it is not completely visible.
        """
        scale = self.side / SPAN
        half, middle = values["shade_length"] / 2, values["shade_position"]
        sun_x = sun_at(values["light"])
        whole = (middle - half >= LEFT) & (middle + half <= LEFT + SPAN)
        shown = (sun_x - SUN >= LEFT) & (sun_x + SUN <= LEFT + SPAN)
        shade, sun = rows_label(SHADE_ROWS), rows_label(SUN_ROWS)
        return {
            f"area {shade}": np.where(whole, values["shade_length"] * SHADE_THICKNESS * scale**2, np.nan),
            f"centroid x {shade}": np.where(whole, self.column_of(middle), np.nan),
            f"centroid x {sun}": np.where(shown, self.column_of(sun_x), np.nan),
        }


def rows_label(rows: tuple[float, float]) -> str:
    """Suffix of names of readouts of some rows."""
    return f"in rows {rows[0]:g} to {rows[1]:g}"


def bob_at(pendulum: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre of the bob, x and y, in units of the scene."""
    return PIVOT[0] + LENGTH * np.sin(pendulum), PIVOT[1] - LENGTH * np.cos(pendulum)


def sun_at(light: FloatArray) -> FloatArray:
    """Horizontal position of the sun in units of the scene, on the line through the pivot at angle `light`."""
    return np.asarray(PIVOT[0] + (SUN_HEIGHT - PIVOT[1]) * np.cos(light) / np.sin(light))
