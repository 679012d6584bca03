"""Convolutions that halve and double the sides of images, used by the variants for images."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from causalvae.models.vae import Likelihood, OutputActivation


class Downs(nn.Module):
    """Convolutions of stride 2, a ReLU after each.

    Parameters
    ----------
    channels : tuple of int
        Channels of the input, then of each layer's output.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        for number, (before, after) in enumerate(pairwise(channels), start=1):
            self.add_module(f"conv{number}", nn.Conv2d(before, after, 4, stride=2, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """A map whose sides are those of `x`, halved by each layer."""
        for layer in self.children():
            x = torch.relu(layer(x))
        return x


class Ups(nn.Module):
    """Transposed convolutions of stride 2, a ReLU before each.

    Parameters
    ----------
    channels : tuple of int
        Channels of the input, then of each layer's output.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        for number, (before, after) in enumerate(pairwise(channels), start=1):
            self.add_module(f"convT{number}", nn.ConvTranspose2d(before, after, 4, stride=2, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """A map whose sides are those of `x`, doubled by each layer."""
        for layer in self.children():
            x = layer(torch.relu(x))
        return x


def count_halvings(shape: tuple[int, ...], most: int, smallest: int) -> int:
    """How often an image can be halved with sides of at least `smallest`; at most `most`, 0 for other shapes."""
    if len(shape) != 3:
        return 0
    sides, count = list(shape[1:]), 0
    while count < most and all(side % 2 == 0 and side // 2 >= smallest for side in sides):
        sides = [side // 2 for side in sides]
        count += 1
    return count


def halved(shape: tuple[int, ...], times: int) -> tuple[int, ...]:
    """The sides of an image of shape (channels, height, width) after `times` halvings."""
    return tuple(side // 2**times for side in shape[1:])


def activation_of(likelihood: Likelihood) -> OutputActivation:
    """The output activation for a likelihood: sigmoid for Bernoulli, none for Gaussian."""
    return "sigmoid" if likelihood == "bernoulli" else "none"
