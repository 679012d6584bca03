"""A multilayer perceptron from one shape to another."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Linear layers with ReLUs between, from one shape to another.

    Parameters
    ----------
    inputs, outputs : tuple of int
        Shapes without the batch axis.
    hidden : tuple of int
        Widths of the hidden layers.
    """

    def __init__(self, inputs: tuple[int, ...], hidden: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        self._outputs = outputs
        widths = (prod(inputs), *hidden)
        for number, (before, after) in enumerate(pairwise(widths), start=1):
            self.add_module(f"lin{number}", nn.Linear(before, after))
        self.head = nn.Linear(widths[-1], prod(outputs))
        self._depth = len(hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (batch, *outputs)."""
        x = x.flatten(1)
        for number in range(1, self._depth + 1):
            x = torch.relu(self.get_submodule(f"lin{number}")(x))
        values: Tensor = self.head(x).unflatten(1, self._outputs)
        return values
