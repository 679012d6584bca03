"""How far two samples are from one law: the squared maximum mean discrepancy, several kernels at once."""

from __future__ import annotations

import torch
from torch import Tensor

_KERNELS = 5
_SPREAD = 4.0


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """||a_i - b_j||^2 for every pair of rows: (..., n, m) from (..., n, d) and (..., m, d)."""
    cross = torch.matmul(a, b.transpose(-1, -2))
    gaps = a.square().sum(-1)[..., :, None] + b.square().sum(-1)[..., None, :] - 2.0 * cross
    return gaps.clamp_min(0.0)


def multi_kernel_mmd(a: Tensor, b: Tensor, bandwidth: float | Tensor) -> Tensor:
    """Squared maximum mean discrepancy without bias (Gretton et al. 2012), averaged over Gaussian kernels.

    The kernels are exp(-||a - b||^2 / (c bandwidth)), c in 1/4, 1/2, 1, 2, 4: `bandwidth` is a squared distance.

    Parameters
    ----------
    a, b : Tensor, shape (..., n, d) and (..., m, d)
        At least two rows each; leading axes are separate comparisons.
    bandwidth : float or Tensor

    Returns
    -------
    Tensor, shape (...)
        Below zero at times where both laws are one: its mean is then zero.
    """
    widest = -1.0 / (_SPREAD * bandwidth)
    n, m = a.shape[-2], b.shape[-2]
    within_a = (widest * squared_distances(a, a)).exp()
    within_b = (widest * squared_distances(b, b)).exp()
    between = (widest * squared_distances(a, b)).exp()
    total = a.new_zeros(a.shape[:-2])
    for kernel in range(_KERNELS):
        if kernel:
            # Half the width squares the kernel, which costs less than another exponential.
            within_a, within_b, between = within_a.square(), within_b.square(), between.square()
        # A row's likeness to itself, which is one, says nothing.
        total = (
            total
            + (within_a.sum((-2, -1)) - n) / (n * (n - 1))
            + (within_b.sum((-2, -1)) - m) / (m * (m - 1))
            - 2.0 * between.mean((-2, -1))
        )
    return total / _KERNELS
