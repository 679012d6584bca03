"""A stride-2 transposed convolution, computed as a convolution followed by a pixel shuffle.

A transposed convolution with kernel 4, stride 2 and padding 1 is a 3 x 3 convolution to 4 times the channels followed
by a pixel shuffle. Most of its taps are zero, so it is faster only for few output channels: on the last layer of an
image decoder it is 3.6 times faster on a CPU (docs/decisions.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Output pixel 2i + a (a = 0, 1) sums over input pixels i + d (d = -1, 0, 1) with kernel tap k, where
# 2i + a = 2(i + d) - 1 + k.
_TAPS = {0: ((-1, 3), (0, 1)), 1: ((0, 2), (1, 0))}


class SubpixelConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` (kernel 4, stride 2, padding 1) with the same parameters and a faster forward."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Equal to the parent's result up to float rounding."""
        channels_in, channels_out = self.weight.shape[:2]
        kernel = self.weight.new_zeros(channels_out, 2, 2, channels_in, 3, 3)
        for a, rows in _TAPS.items():
            for b, columns in _TAPS.items():
                for di, ki in rows:
                    for dj, kj in columns:
                        kernel[:, a, b, :, di + 1, dj + 1] = self.weight[:, :, ki, kj].T
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(x, kernel.flatten(0, 2), bias, padding=1), 2)


def use_subpixel(module: nn.Module, max_channels: int = 4) -> None:
    """Use the faster forward in every suitable layer of `module` with at most `max_channels` outputs, in place.

    Parameters stay the same objects with the same names, so the state dict does not change.
    """
    for layer in module.modules():
        if (
            type(layer) is nn.ConvTranspose2d
            and layer.kernel_size == (4, 4)
            and layer.stride == (2, 2)
            and layer.padding == (1, 1)
            and layer.output_padding == (0, 0)
            and layer.groups == 1
            and layer.dilation == (1, 1)
            and layer.out_channels <= max_channels
        ):
            layer.__class__ = SubpixelConvTranspose2d


def channels_last(module: nn.Module) -> None:
    """Convert the 4-d weights of `module` to channels-last, in place; convolutions then run in that layout."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
