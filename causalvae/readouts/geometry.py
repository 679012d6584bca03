"""Where the light of an image is and how it is spread: area, centroid, orientation, extent; and distances of images.

All of it follows from six raw moments, M_pq = sum over pixels of value * X^p * Y^q with p + q <= 2 (Hu 1962, "Visual
pattern recognition by moment invariants"), where (X, Y) is a pixel's centre relative to the image's centre, in half
pixels: odd or even whole numbers. Pixel values are first rounded to a multiple of 2^-28 (coarser for images beyond
about 90 pixels a side), so that every product and every partial sum is a whole multiple of that step and below 2^53
of them. Sums in float64 are then exact, and so the moments of an image are the same, bit for bit, whatever batch it is
in, on whatever device, in whatever order they are added. The rounding moves an area of 64 x 64 pixels by less than
10^-5. Where a gradient is wanted the values are left as they are, and only the last bits depend on the batch.

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
# Rows that are turned into float64 at once: 2 MB for 64 x 64 pixels, which stays in the processor's cache.
_ROWS = 64


@dataclass(frozen=True)
class Moments:
    """The light of each image: how much, around which point, how far spread.

    Parameters
    ----------
    mass : Tensor, shape (n,)
        Sum of pixel values.
    x, y : Tensor, shape (n,)
        Value-weighted mean position, in pixels from the image's left and upper edge; the image's centre where `mass`
        is not positive.
    xx, xy, yy : Tensor, shape (n,)
        Value-weighted central second moments, in square pixels; 0 where `mass` is not positive. Each pixel counts as a
        point at its centre: a single lit pixel has no spread.
    """

    mass: Tensor
    x: Tensor
    y: Tensor
    xx: Tensor
    xy: Tensor
    yy: Tensor


# Kept over calls, and what is made in inference mode could not serve a later call that wants gradients.
@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _basis(height: int, width: int, device: str) -> tuple[Tensor, int]:
    """1, X, Y, XX, XY, YY at each pixel, (height * width, 6), and to how many binary places values may be rounded."""
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
        In float64, on the images' device.

    Raises
    ------
    CausalVAEError
        CV211 where `images` has another number of axes or channels.
    """
    pixels = _flatten(images)
    height, width = images.shape[-2:]
    basis, bits = _basis(height, width, str(images.device))
    if torch.is_grad_enabled() and images.requires_grad:
        raw = pixels.to(torch.float64) @ basis
    else:
        # Adding and taking away a number whose last place is 2^-bits rounds to a multiple of 2^-bits.
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
    """The six raw moments, (n, 6), from sums along rows and along columns: several times faster than one product.

    Every sum is exact, so it is equal to the product with `basis` bit for bit.
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
    moments, counted from the x axis counter-clockwise as seen on the screen (y runs downwards, hence the minus). That
    is the sense in which dSprites' orientation grows: an ellipse with orientation o gives o modulo pi.

    An axis has no head, so angles repeat after pi: a difference of two must be wrapped into (-pi/2, pi/2] before it is
    averaged (`causalvae.readouts.types.wrap`). An image without a longer axis (empty, or equally spread both ways)
    gives 0, with gradient 0; near that case, as for a square, the angle is mostly noise of the raster.
    """
    # Adding zero turns -0 into 0; atan2(-0, negative) would be -pi instead of pi.
    sine, cosine = -2 * moments.xy + 0.0, moments.xx - moments.yy
    defined = (sine != 0) | (cosine != 0)
    return torch.where(defined, _angle(sine, torch.where(defined, cosine, 1.0)) / 2, 0.0)


def _angle(sine: Tensor, cosine: Tensor) -> Tensor:
    """atan2, the last bit of which must not depend on how many angles are asked for at once.

    Vector instructions and the scalar code that handles what they leave over round differently; padding to whole
    vectors leaves nothing over.
    """
    missing = -len(sine) % _ROWS
    return torch.atan2(functional.pad(sine, (0, missing)), functional.pad(cosine, (0, missing), value=1.0))[: len(sine)]


def _spread(moments: Moments) -> tuple[Tensor, Tensor]:
    """Mean of the two eigenvalues of the second central moments, and half their difference."""
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
    """Euclidean distance of two batches, image by image: float64, shape (n,).

    Parameters
    ----------
    first, second : Tensor, shape (n, ...)
        Two batches of equal shape.
    """
    difference = (first.to(torch.float64) - second.to(torch.float64)).flatten(1)
    return safe_root((difference * difference).sum(dim=1))


def pixel_rms(first: Tensor, second: Tensor) -> Tensor:
    """Root mean square difference a pixel of two batches, image by image: float64, shape (n,).

    `pixel_distance` divided by the square root of the number of pixels, which makes images of any size comparable.
    """
    return pixel_distance(first, second) / math.sqrt(math.prod(first.shape[1:]))
