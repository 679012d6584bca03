"""dSprites, regenerated from its geometry.

The data set (Matthey et al. 2017, github.com/google-deepmind/dsprites-dataset) holds 737,280 binary images, 64 x 64,
of one white shape whose kind, size, rotation and position vary independently. The images are drawn here: the constants
below were fitted to the 320 frames of the original repository's ``dsprites.gif`` and agree with 300 of them
exactly (38 wrong pixels in all; `tests/data/test_dsprites.py` counts them). So the images are "dSprites regenerated",
not byte-identical.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import Factor, FactorSpace, FloatArray, IntArray

Images = npt.NDArray[np.uint8]

SIDE = 64
SHAPES = ("square", "ellipse", "heart")

_SQUARE_HALF_SIDE = 9.6
_ELLIPSE_AXES = (12.76, 7.215)
_HEART_WIDTH = 0.5997
_HEART_HEIGHT = -0.6619
_HEART_OFFSET = -1.438
_HEART_KNOTS = 16384
_TURN = 2 * np.pi
# More than rounding adds to an interpolated radius.
_SLACK = 1e-9
# Maximum distance of a shape from its centre at scale 1. Centres are at least 16 pixels from the border, so a window of
# this half-width contains the sprite and is within the image.
_REACH = 14

SPACE = FactorSpace(
    (
        Factor("shape", "categorical", (1.0, 2.0, 3.0), SHAPES),
        Factor("scale", "ordinal", tuple(np.linspace(0.5, 1.0, 6).tolist())),
        Factor("orientation", "cyclic", tuple(np.linspace(0.0, 2 * np.pi, 40).tolist())),
        Factor("x", "ordinal", tuple(np.linspace(0.0, 1.0, 32).tolist())),
        Factor("y", "ordinal", tuple(np.linspace(0.0, 1.0, 32).tolist())),
    )
)


@cache
def _heart_outline() -> tuple[FloatArray, FloatArray]:
    """The outline of the heart in polar form: increasing angles, and the radius at each.

    The heart is star-shaped about its local origin (the angle is monotonic along the curve), so a point is inside if
    and only if its radius is less than that of the outline at its angle.
    """
    t = np.linspace(0.0, 2 * np.pi, _HEART_KNOTS, endpoint=False)
    u = _HEART_WIDTH * 16 * np.sin(t) ** 3
    wave = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    v = _HEART_HEIGHT * wave + _HEART_OFFSET
    angle = np.arctan2(v, u)
    order = np.argsort(angle)
    return angle[order], np.hypot(u, v)[order]


@cache
def _heart_radii() -> tuple[FloatArray, FloatArray]:
    """The outline to interpolate in: angles in [0, 2 pi] and one more at each end, and the radius at each."""
    angle, radius = _heart_outline()
    angle = angle % _TURN
    order = np.argsort(angle)
    angle, radius = angle[order], radius[order]
    return (
        np.concatenate([angle[-1:] - _TURN, angle, angle[:1] + _TURN]),
        np.concatenate([radius[-1:], radius, radius[:1]]),
    )


def render(values: FloatArray) -> Images:
    """Draw sprites.

    Parameters
    ----------
    values : float array, shape (n, 5)
        Shape (1 square, 2 ellipse, 3 heart), scale, orientation in radians, x and y in [0, 1]: the columns of `SPACE`.

    Returns
    -------
    uint8 array, shape (n, 64, 64)
        1 if the centre of the pixel is inside the shape, else 0; the first row is at the top.
    """
    n = len(values)
    images = np.zeros((n, SIDE, SIDE), dtype=np.uint8)
    if n == 0:
        return images
    shape, scale, angle = values[:, 0], values[:, 1], values[:, 2]
    centre_x, centre_y = 16 + 32 * values[:, 3], 16 + 32 * values[:, 4]
    columns = np.floor(centre_x).astype(np.int64)[:, None] + np.arange(-_REACH, _REACH)
    rows = np.floor(centre_y).astype(np.int64)[:, None] + np.arange(-_REACH, _REACH)
    dx = (columns + 0.5 - centre_x[:, None])[:, None, :]
    dy = (rows + 0.5 - centre_y[:, None])[:, :, None]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    size = scale[:, None, None]
    u = (cos * dx - sin * dy) / size
    v = (sin * dx + cos * dy) / size

    inside = np.zeros(u.shape, dtype=bool)
    for code, test in ((1, _in_square), (2, _in_ellipse), (3, _in_heart)):
        chosen = shape == code
        if chosen.any():
            inside[chosen] = test(u[chosen], v[chosen])
    images[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]] = inside
    return images


def _in_square(u: FloatArray, v: FloatArray) -> npt.NDArray[np.bool_]:
    return (np.abs(u) <= _SQUARE_HALF_SIDE) & (np.abs(v) <= _SQUARE_HALF_SIDE)


def _in_ellipse(u: FloatArray, v: FloatArray) -> npt.NDArray[np.bool_]:
    return (u / _ELLIPSE_AXES[0]) ** 2 + (v / _ELLIPSE_AXES[1]) ** 2 <= 1.0


def _in_heart(u: FloatArray, v: FloatArray) -> npt.NDArray[np.bool_]:
    angle, radius = _heart_radii()
    distance = np.hypot(u, v)
    inside: npt.NDArray[np.bool_] = distance < radius.min() - _SLACK
    # Most pixels are nearer than all of the outline or farther, and need no angle.
    near = ~inside & (distance <= radius.max() + _SLACK)
    inside[near] = distance[near] <= np.interp(np.arctan2(v[near], u[near]) % _TURN, angle, radius)
    return inside


def render_levels(levels: IntArray) -> Images:
    """Draw the sprites at grid points `levels`, (n, 5): uint8, (n, 64, 64)."""
    return render(SPACE.values_of(levels))


def true_geometry(levels: IntArray) -> dict[str, FloatArray]:
    """True values of readouts of the sprites at `levels`, (n, 5), each (n,).

    These are values of the continuous shapes, of which the images are a raster:

    - ``area``: in pixels, scale^2 times the shape's area;
    - ``position x``, ``position y``: 16 + 32 x and 16 + 32 y, the centre of rotation, in pixels;
    - ``centroid x``, ``centroid y``: the centre of mass, which for a heart differs from the centre of rotation;
    - ``orientation``: the angle of the longest axis in radians modulo pi, for ellipses; nan for squares, which have no
      longest axis, and for hearts, whose two axes differ by a sixth only;
    - ``extent major``, ``extent minor``: standard deviation of the light along its principal axes, in pixels.
    """
    values = SPACE.values_of(levels)
    kind = levels[:, 0]
    scale, angle = values[:, 1], values[:, 2]
    heart = _heart_measures()
    side, (major, minor) = 2 * _SQUARE_HALF_SIDE, _ELLIPSE_AXES
    areas = np.array([side**2, np.pi * major * minor, heart["area"]])
    majors = np.array([side / np.sqrt(12), major / 2, heart["extent_u"]])
    minors = np.array([side / np.sqrt(12), minor / 2, heart["extent_v"]])
    position_x, position_y = 16 + 32 * values[:, 3], 16 + 32 * values[:, 4]
    drop = np.where(kind == SHAPES.index("heart"), heart["centre_v"], 0.0) * scale
    return {
        "area": areas[kind] * scale**2,
        "position x": position_x,
        "position y": position_y,
        "centroid x": position_x + np.sin(angle) * drop,
        "centroid y": position_y + np.cos(angle) * drop,
        "orientation": np.where(kind == SHAPES.index("ellipse"), angle % np.pi, np.nan),
        "extent major": majors[kind] * scale,
        "extent minor": minors[kind] * scale,
    }


@cache
def _heart_measures() -> dict[str, float]:
    """Area, centre of mass and extents of the heart at scale 1, by Green's theorem."""
    angle, radius = _heart_outline()
    u, v = radius * np.cos(angle), radius * np.sin(angle)
    next_u, next_v = np.roll(u, -1), np.roll(v, -1)
    wedge = u * next_v - next_u * v
    area = wedge.sum() / 2
    centre_v = ((v + next_v) * wedge).sum() / 6 / area
    square_u = ((u * u + u * next_u + next_u * next_u) * wedge).sum() / 12 / area
    square_v = ((v * v + v * next_v + next_v * next_v) * wedge).sum() / 12 / area
    return {
        "area": float(area),
        "centre_v": float(centre_v),
        "extent_u": float(np.sqrt(square_u)),
        "extent_v": float(np.sqrt(square_v - centre_v**2)),
    }
