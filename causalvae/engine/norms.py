"""Normalisation of channels-last images, as fast as of contiguous ones and as exact.

Elementwise kernels are slow where the innermost axis is short, as the channels of a channels-last image often are. So
neighbouring positions are joined with their channels to rows of at least `_LONG` numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_LONG = 128
# In one pass; the last argument says that nothing is summed.
_squared_differences = torch.ops.aten.mse_loss.default


@dataclass(frozen=True)
class GroupNorm:
    """Group normalisation: the arguments of ``aten.group_norm``.

    PyTorch's kernel computes the variance of channels-last images from sums of squares, with about a hundred times the
    error of that for contiguous ones. Here the squares are those of differences from the mean.

    Parameters
    ----------
    function : callable
        PyTorch's, for contiguous values.
    """

    function: Callable[..., Tensor]

    def __call__(
        self, x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5,
        *rest: Any, **options: Any,
    ) -> Tensor:  # fmt: skip
        """The normalised value."""
        if x.device.type != "cpu" or not _is_channels_last(x):
            return self.function(x.contiguous(), groups, weight, bias, eps, *rest, **options)
        rows, channels = x.shape[:2]
        wide, repeats = _joined(x)
        share = channels // groups

        def over_groups(sums: Tensor) -> Tensor:
            return sums.view(rows, repeats, groups, share).sum((1, 3)) / (x[0].numel() // groups)

        def spread(values: Tensor) -> Tensor:
            return values.repeat(1, repeats)[:, None]

        mean = over_groups(wide.sum(1)).repeat_interleave(share, 1)
        scratch = _squared_differences(wide, spread(mean).expand_as(wide), 0)
        scale = over_groups(scratch.sum(1)).add_(eps).rsqrt_().repeat_interleave(share, 1)
        if weight is not None:
            scale = scale * weight
        shift = -mean * scale
        if bias is not None:
            shift += bias
        return _image(torch.addcmul(spread(shift), wide, spread(scale), out=scratch), x)


@dataclass(frozen=True)
class ChannelAffine:
    """A factor and a summand for each channel: batch normalisation in evaluation mode."""

    def __call__(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """The value in new memory."""
        return self.into(torch.empty_like(x), x, scale, shift)

    def into(self, out: Tensor, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """The value in the memory of `out`, which has the layout of `x` or is `x`."""
        if x.ndim == 2:
            return torch.addcmul(shift, x, scale, out=out)
        if x.ndim == 4 and _is_channels_last(x):
            wide, repeats = _joined(x)
            torch.addcmul(shift.repeat(repeats), wide, scale.repeat(repeats), out=_joined(out)[0])
            return out
        shape = (len(scale), *[1] * (x.ndim - 2))
        return torch.mul(x, scale.view(shape), out=out).add_(shift.view(shape))


def _is_channels_last(x: Tensor) -> bool:
    return x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def _joined(x: Tensor) -> tuple[Tensor, int]:
    """A channels-last image as (rows, length, repeats * channels), and the number of positions joined."""
    rows, channels, height, width = x.shape
    repeats = 1
    while channels * repeats < _LONG and height * width % (2 * repeats) == 0:
        repeats *= 2
    return x.permute(0, 2, 3, 1).view(rows, height * width // repeats, repeats * channels), repeats


def _image(wide: Tensor, like: Tensor) -> Tensor:
    rows, channels, height, width = like.shape
    return wide.view(rows, height, width, channels).permute(0, 3, 1, 2)
