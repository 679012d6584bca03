"""Area, centroid, orientation and extent of the light of images; and distances between images.

They are computed from six raw moments, M_pq = sum over pixels of value * X^p * Y^q with p + q <= 2 (Hu 1962, "Visual
pattern recognition by moment invariants"), where (X, Y) is a pixel's centre relative to the image's centre, in half
pixels: odd or even whole numbers. Pixel values are first rounded to a multiple of 2^-28 (coarser for images beyond
about 90 pixels a side), so that all products and partial sums are integer multiples of that step, below 2^53 steps.
Sums in float64 are then exact, so the moments of an image do not depend on batch, device or order of summation. The
rounding changes an area of 64 x 64 pixels by less than 10^-5. With gradients, values are not rounded, and the last bits
may depend on the batch.

Coordinates are in pixels: x to the right, y downwards, the centre of the first pixel at (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from causalvae.errors import CausalVAEError
from causalvae.readouts.sums import safe_root

_FINEST_BITS = 28
_EXACT_BITS = 52
# Rows converted to float64 at a time: 2 MB for 64 x 64 pixels, which fits the CPU cache.
_ROWS = 64


@dataclass(frozen=True)
class Moments:
    """Sum, mean and central second moments of the light of each image.

    Parameters
    ----------
    mass : Tensor, shape (n,)
        Sum of pixel values.
    x, y : Tensor, shape (n,)
        Value-weighted mean position, in pixels from the left and upper edge; the centre of the image if `mass` is not
        positive.
    xx, xy, yy : Tensor, shape (n,)
        Value-weighted central second moments, in square pixels; 0 if `mass` is not positive. Each pixel is a point at
        its centre, so a single pixel has no spread.
    """

    mass: Tensor
    x: Tensor
    y: Tensor
    xx: Tensor
    xy: Tensor
    yy: Tensor


# Outside inference mode, since cached tensors may be used for gradients later.
@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _basis(height: int, width: int, device: str) -> tuple[Tensor, int]:
    """1, X, Y, XX, XY, YY at each pixel, (height * width, 6), and the number of bits to round values to."""
    across = 2 * torch.arange(width, dtype=torch.float64) - (width - 1)
    down = 2 * torch.arange(height, dtype=torch.float64) - (height - 1)
    x, y = across.expand(height, width), down[:, None].expand(height, width)
    basis = torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y]).reshape(6, -1).T.contiguous()
    largest = float(basis.abs().sum(0).max())
    return basis.to(device), min(_FINEST_BITS, _EXACT_BITS - math.ceil(math.log2(largest)))


def moments_of(images: Tensor) -> Moments:
    """Measure the moments of a batch.

    Parameters
    ----------
    images : Tensor, shape (n, 1, height, width)
        Pixel values in [0, 1].

    Returns
    -------
    Moments
        In float64, on the device of the images.

    Raises
    ------
    CausalVAEError
        CV211 if `images` has another number of axes or channels.
    """
    pixels = _flatten(images)
    height, width = images.shape[-2:]
    basis, bits = _basis(height, width, str(images.device))
    if torch.is_grad_enabled() and images.requires_grad:
        raw = pixels.to(torch.float64) @ basis
    else:
        # Adding and subtracting a number with a unit in the last place of 2^-bits rounds to a multiple of it.
        magnet = 1.5 * 2.0 ** (_EXACT_BITS - bits)
        rounded = (rows.to(torch.float64).add_(magnet).sub_(magnet) for rows in pixels.split(_ROWS))
        parts = [_raw_moments(rows.view(-1, height, width), basis) for rows in rounded]
        raw = torch.cat(parts) if parts else pixels.new_zeros((0, 6), dtype=torch.float64)
    mass = raw[:, 0]
    lit = mass > 0
    weight = torch.where(lit, mass, 1.0)
    first_x, first_y, square_x, product, square_y = (torch.where(lit, raw[:, k], 0.0) / weight for k in range(1, 6))
    return Moments(
        mass=mass,
        x=(first_x + width) / 2,
        y=(first_y + height) / 2,
        xx=(square_x - first_x * first_x).clamp_min(0) / 4,
        xy=(product - first_x * first_y) / 4,
        yy=(square_y - first_y * first_y).clamp_min(0) / 4,
    )


def _raw_moments(images: Tensor, basis: Tensor) -> Tensor:
    """The six raw moments, (n, 6), from sums over rows and columns, several times faster than one product.

    All sums are exact, so the result equals the product with `basis`.
    """
    width = images.shape[2]
    across, down = basis[:width, 1], basis[::width, 2]
    columns, rows = images.sum(1), images.sum(2)
    mass, tilted = rows.sum(1), images @ across
    moments = [mass, columns @ across, rows @ down, columns @ across.square(), tilted @ down, rows @ down.square()]
    return torch.stack(moments, dim=1)


def _flatten(images: Tensor) -> Tensor:
    if images.ndim != 4 or images.shape[1] != 1:
        raise CausalVAEError(
            "CV211",
            f"Readouts measure images of one channel, shape (n, 1, height, width), and not {tuple(images.shape)}.",
            "Use a data set and a network with one channel.",
        )
    return images.reshape(images.shape[0], images.shape[2] * images.shape[3])


def area(moments: Moments) -> Tensor:
    """Sum of pixel values, in pixels: shape (n,)."""
    return moments.mass


def centroid_x(moments: Moments) -> Tensor:
    """Value-weighted mean column, in pixels from the left edge; the image's centre for an empty image: shape (n,)."""
    return moments.x


def centroid_y(moments: Moments) -> Tensor:
    """Value-weighted mean row, in pixels from the upper edge; the image's centre for an empty image: shape (n,)."""
    return moments.y


def orientation(moments: Moments) -> Tensor:
    """Angle of the major axis, in radians within (-pi/2, pi/2]: shape (n,).

    The angle is 1/2 atan2(-2 mu_xy, mu_xx - mu_yy), the direction of the larger eigenvector of the second central
    moments, counter-clockwise from the x axis as seen on the screen (y points down, hence the minus). The sign agrees
    with that of dSprites: an ellipse with orientation o gives o modulo pi.

    Angles are cyclic with period pi: differences must be wrapped to (-pi/2, pi/2] before averaging
    (`causalvae.readouts.types.wrap`). An image without a major axis gives 0, with gradient 0; if the axes are almost
    equal, as for a square, the angle is mostly noise of the raster.
    """
    # Adding zero turns -0 into 0; atan2(-0, negative) would be -pi instead of pi.
    sine, cosine = -2 * moments.xy + 0.0, moments.xx - moments.yy
    defined = (sine != 0) | (cosine != 0)
    return torch.where(defined, _angle(sine, torch.where(defined, cosine, 1.0)) / 2, 0.0)


def _angle(sine: Tensor, cosine: Tensor) -> Tensor:
    """atan2 whose last bit does not depend on the number of angles.

    SIMD code and the scalar code for the remainder round differently, so the input is padded to whole vectors.
    """
    missing = -len(sine) % _ROWS
    return torch.atan2(functional.pad(sine, (0, missing)), functional.pad(cosine, (0, missing), value=1.0))[: len(sine)]


def _spread(moments: Moments) -> tuple[Tensor, Tensor]:
    """Mean and half the difference of the two eigenvalues of the second central moments, each (n,)."""
    half_difference = (moments.xx - moments.yy) / 2
    return (moments.xx + moments.yy) / 2, safe_root(half_difference**2 + moments.xy**2)


def extent_major(moments: Moments) -> Tensor:
    """Standard deviation of the light along its major axis, in pixels; 0 for an empty image: shape (n,)."""
    mean, half_gap = _spread(moments)
    return safe_root(mean + half_gap)


def extent_minor(moments: Moments) -> Tensor:
    """Standard deviation of the light across its major axis, in pixels; 0 for an empty image: shape (n,)."""
    mean, half_gap = _spread(moments)
    return safe_root(mean - half_gap)


def pixel_distance(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances between the images of two batches, float64, (n,).

    Parameters
    ----------
    first, second : Tensor, shape (n, ...)
        Batches of equal shape.
    """
    difference = (first.to(torch.float64) - second.to(torch.float64)).flatten(1)
    return safe_root((difference * difference).sum(dim=1))


def pixel_rms(first: Tensor, second: Tensor) -> Tensor:
    """Root mean square differences per pixel between the images of two batches, float64, (n,).

    `pixel_distance` divided by the square root of the number of pixels, comparable between image sizes.
    """
    return pixel_distance(first, second) / math.sqrt(math.prod(first.shape[1:]))
