"""Foreground of colour pictures, and its colour.

The background has one colour, the median of the outermost pixels for each channel. A pixel's distance d from it
is Euclidean in RGB. The distance D of the foreground is a weighted mean of d: first with weights d^3, on which
mixed pixels at edges have little influence, then only of pixels with at least three quarters of that. The coverage of a
pixel is s(d / D), with s(a) = (a - 1/5) / (3/5) clipped to [0, 1]: mixed pixels keep their area on average, since
s(a) + s(1 - a) = 1, and pixels five times fainter than the foreground are ignored. D is at least 0.1, so that a plain
picture has no foreground.

Sums are exact, as in `causalvae.readouts.geometry`, so results do not depend on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts.sums import exact_sum, safe_root

_LEAST_DISTANCE = 0.1
# Number of pictures per block, such that arrays fit the CPU cache.
_ROWS = 16
_FAINT = 0.2
_NEARLY_ALL = 0.75


@dataclass(frozen=True)
class Foreground:
    """The foreground of each picture.

    Parameters
    ----------
    coverage : Tensor, shape (n, 1, height, width)
        Share of each pixel in the foreground.
    weight : Tensor, shape (n, height, width)
        Weight of each pixel for the colour: 0 for mixed ones.
    """

    coverage: Tensor
    weight: Tensor


def find_foreground(pictures: Tensor) -> Foreground:
    """Find the foreground.

    Parameters
    ----------
    pictures : Tensor, shape (n, 3, height, width)
        Red, green and blue in [0, 1].

    Raises
    ------
    CausalVAEError
        CV227 for pictures of another number of channels.
    """
    _refuse_colourless(pictures)
    if len(pictures) > _ROWS:
        parts = [find_foreground(rows) for rows in pictures.split(_ROWS)]
        return Foreground(torch.cat([part.coverage for part in parts]), torch.cat([part.weight for part in parts]))
    pixels = pictures.to(torch.promote_types(pictures.dtype, torch.float32))
    behind = background(pixels)
    difference = pixels - behind[:, :, None, None]
    red, green, blue = difference.unbind(1)
    distance = safe_root(red * red + green * green + blue * blue)
    cubed = distance * distance * distance
    reach = _ratio(exact_sum(cubed * distance), exact_sum(cubed)).clamp_min(_LEAST_DISTANCE).to(pixels.dtype)
    weight = _near_full(distance, reach)
    reach = torch.maximum(_ratio(exact_sum(weight * distance), exact_sum(weight)).to(pixels.dtype), reach)
    coverage = ((distance / reach[:, None, None] - _FAINT) / (1 - 2 * _FAINT)).clamp(0, 1)
    return Foreground(coverage[:, None], _near_full(distance, reach))


def background(pixels: Tensor) -> Tensor:
    """Median of the outermost pixels, (n, channels), of pictures (n, channels, height, width)."""
    edge = torch.cat([pixels[:, :, 0], pixels[:, :, -1], pixels[:, :, 1:-1, 0], pixels[:, :, 1:-1, -1]], dim=2)
    return edge.median(dim=2).values


def colour_of(pictures: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean colour, float64, (n, 3); unweighted if all weights are 0.

    Parameters
    ----------
    pictures : Tensor, shape (n, 3, height, width)
    weight : Tensor, shape (n, height, width)
    """
    if len(pictures) > _ROWS:
        pairs = zip(pictures.split(_ROWS), weight.split(_ROWS), strict=True)
        return torch.cat([colour_of(*pair) for pair in pairs])
    total = exact_sum(weight)
    some = total > 0
    counted = torch.where(some[:, None, None], weight, 1.0)
    total = torch.where(some, total, float(weight[0].numel() if len(weight) else 1))
    channels = [exact_sum(counted * channel) / total for channel in pictures.unbind(1)]
    return torch.stack(channels, dim=1)


def hue(colour: Tensor) -> Tensor:
    """Hue in turns in [0, 1), (n,), of colours (n, 3): 0 red, 1/3 green, 2/3 blue; 0, with gradient 0, for greys.

    From the hexcone model (Smith 1978). Hues are cyclic with period 1, so differences must be wrapped.
    """
    red, green, blue = colour.unbind(1)
    top, low = colour.amax(1), colour.amin(1)
    span = top - low
    tinted = span > 0
    width = torch.where(tinted, span, 1.0)
    sector = torch.where(
        top == red,
        (green - blue) / width,
        torch.where(top == green, 2 + (blue - red) / width, 4 + (red - green) / width),
    )
    turns = torch.where(tinted, sector / 6, 0.0)
    return torch.where(turns < 0, turns + 1, turns)


def saturation(colour: Tensor) -> Tensor:
    """Saturation, 1 - min / max of the channels, 0 for black: (n,) of (n, 3)."""
    top = colour.amax(1)
    lit = top > 0
    return torch.where(lit, 1 - colour.amin(1) / torch.where(lit, top, 1.0), 0.0)


def brightness(colour: Tensor) -> Tensor:
    """Maximum of the channels: (n,) of (n, 3)."""
    return colour.amax(1)


def _near_full(distance: Tensor, reach: Tensor) -> Tensor:
    rise = ((distance / reach[:, None, None] - _NEARLY_ALL) / (1 - _NEARLY_ALL)).clamp(0, 1)
    return rise * rise


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    some = below > 0
    return torch.where(some, above / torch.where(some, below, 1.0), 0.0)


def _refuse_colourless(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[1] != 3:
        raise CausalVAEError(
            "CV227",
            f"Colours are read from pictures in RGB, shape (n, 3, height, width), and not {tuple(pictures.shape)}.",
            "Use another readout, or data and a network with three channels.",
        )
