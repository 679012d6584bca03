"""Activation functions by the names under which networks call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

# The names in `operators.ACTIVATIONS`.
ACTIVATION_NAMES = (
    "relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus", "hardtanh", "hardswish", "mish",
    "selu", "celu", "relu6",
)  # fmt: skip


def _calls() -> frozenset[Callable[..., Any]]:
    found = set()
    for place in (torch, torch.Tensor, F, torch._C._nn):
        for name in ACTIVATION_NAMES:
            for variant in (name, name + "_"):
                function = getattr(place, variant, None)
                if callable(function):
                    found.add(function)
    return frozenset(found)


# Functions and methods that apply an activation, in place or not.
ACTIVATION_CALLS = _calls()
