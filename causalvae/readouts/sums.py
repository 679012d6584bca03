"""Sums that do not depend on the order of summation, and square roots with finite gradients."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Multiples of 2^-28 with a sum below 2^25 are added exactly in float64.
_BITS = 28
_EXACT_BITS = 52


def exact_sum(values: Tensor) -> Tensor:
    """Exact sum over all axes but the first, float64, (n,).

    Values are first rounded to a multiple of 2^-28 (coarser for very long rows), so that the sum does not depend on the
    order of summation. With gradients, they are not rounded.

    Parameters
    ----------
    values : Tensor, shape (n, ...)
        At most about 16 in absolute value.
    """
    flat = values.flatten(1).to(torch.float64)
    if not (torch.is_grad_enabled() and flat.requires_grad):
        bits = min(_BITS, _EXACT_BITS - 4 - math.ceil(math.log2(max(flat.shape[1], 1))))
        magnet = 1.5 * 2.0 ** (_EXACT_BITS - bits)
        flat = (flat + magnet) - magnet
    return flat.sum(dim=1)


def safe_root(squares: Tensor) -> Tensor:
    """Square root with gradient 0, not infinity, at 0 and below."""
    positive = squares > 0
    return torch.where(positive, torch.sqrt(torch.where(positive, squares, 1.0)), 0.0)
