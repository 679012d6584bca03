"""Changes of the thickness and brightness of strokes.

As in Morpho-MNIST (Castro et al. 2019) strokes are thickened by dilating the shape {image >= half its brightness} with
a disc, and thinned by eroding it. Here the radius of the disc is a real number, which is added to the signed distance
to the outline on the magnified image. Only the change is drawn, so that without a change the image is unchanged.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from causalvae.data.factors import FloatArray

_MAGNIFICATION = 4


def brightness(image: FloatArray) -> float:
    """Median of the pixels that are at least half as bright as the brightest; 0 for a dark image.

    This is the intensity of MorphoMNIST: on its test set it is 0.4 +- 0.5 (of 255) below the labels.
    """
    greatest = float(image.max())
    return float(np.median(image[image >= greatest / 2])) if greatest > 0 else 0.0


def restroke(image: FloatArray, change: float, bright: float) -> FloatArray:
    """Make the strokes of an image `change` pixels thicker, with brightness `bright`.

    Parameters
    ----------
    image : float array, shape (height, width)
        Bright strokes on a dark background, values from 0 to 255.
    change : float
        Change of thickness in pixels. Strokes thinner than -`change` vanish.
    bright : float
        The `brightness` of the result, before clipping at 255.

    Returns
    -------
    float array, shape (height, width)
        Values from 0 to 255; all 0 if the image is dark or no stroke remains.
    """
    scale = brightness(image)
    if scale == 0:
        return np.zeros_like(image)
    relative = image / scale
    if change != 0:
        relative = _move_outline(relative, change / 2)
        left = brightness(relative)
        relative = relative / left if left > 0 else relative
    return np.asarray(np.clip(relative * bright, 0, 255))


def _move_outline(relative: FloatArray, radius: float) -> FloatArray:
    """Grow the shape in an image of brightness 1 by `radius` pixels: (height, width)."""
    margin = int(np.ceil(max(radius, 0))) + 1
    distance = _distance_to_outline(relative, margin)
    before, after = (_draw(distance, grown, margin) for grown in (0.0, radius))
    # Details that are not drawn (grain, softness) are kept where the pixel is still edge or still inside.
    edge, was_edge = (1 - after, 1 - before) if radius > 0 else (after, before)
    kept = np.divide(edge, was_edge, out=np.full_like(edge, float(radius > 0)), where=was_edge > 0)
    drawn = after + (relative - before) * np.clip(kept, 0, 1)
    return np.asarray(np.clip(drawn, 0, max(1.0, float(relative.max()))))


def _distance_to_outline(relative: FloatArray, margin: int) -> FloatArray:
    """Signed distance to the outline in pixels of the magnified image, positive inside.

    Shape ((height + 2 margin) * 4, (width + 2 margin) * 4).
    """
    from scipy import ndimage

    padded = np.pad(relative, margin)
    down, across = (_interpolation(length) for length in padded.shape)
    inside = (down @ padded @ across.T) >= 0.5
    # The outline is halfway between the last pixel inside and the first outside.
    depth, gap = ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    return np.asarray(np.where(inside, depth - 0.5, 0.5 - gap))


@lru_cache(maxsize=32)
def _interpolation(length: int) -> FloatArray:
    """Matrix of linear interpolation of `length` pixels at four points per pixel, (4 length, length)."""
    at = (np.arange(length * _MAGNIFICATION) + 0.5) / _MAGNIFICATION - 0.5
    return np.asarray(np.clip(1 - np.abs(at[:, None] - np.arange(length)[None, :]), 0, 1))


def _draw(distance: FloatArray, grown: float, margin: int) -> FloatArray:
    """Draw the shape grown by `grown` pixels, with soft edges, at the original size: (height, width), in [0, 1]."""
    fine = np.clip(distance + grown * _MAGNIFICATION + 0.5, 0, 1)
    rows, columns = fine.shape[0] // _MAGNIFICATION, fine.shape[1] // _MAGNIFICATION
    coarse = fine.reshape(rows, _MAGNIFICATION, columns, _MAGNIFICATION).mean(axis=(1, 3))
    return np.asarray(coarse[margin:-margin, margin:-margin])
