"""What is measured on rows of bits that stand for a ring of spins: on configurations, or on expected spins.

A bit b (1 up, 0 down), or the probability p of an up spin, stands for the expected spin s = 2 p - 1. Of an
autoregressive decoder p is the probability given the latent and the spins before: the expectation that a measurement
which goes from spin to spin has before each of them.

- ``magnetisation``: the mean of s;
- ``order``: its size, the order parameter of a finite chain without a preferred direction;
- ``alignment``: the mean product of neighbours around the ring;
- ``energy``: energy a spin of the product state with these expectations, in the transverse-field Ising model at its
  critical field, in units of the coupling: -mean s_i s_(i+1) - mean sqrt(1 - s_i^2). Of all states with the expected
  spins along z a product state has the largest spins along x, so it is the least that a state without correlations can
  have; ground states lie below.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts.sums import exact_sum, safe_root


def magnetisation(rows: Tensor) -> Tensor:
    """Mean expected spin: float64, shape (n,).

    Parameters
    ----------
    rows : Tensor, shape (n, spins)
        Bits or probabilities of up spins.

    Raises
    ------
    CausalVAEError
        CV243 for anything but rows of at least two numbers.
    """
    spins = _spins(rows)
    return exact_sum(spins) / spins.shape[1]


def order(rows: Tensor) -> Tensor:
    """Size of the mean expected spin; see `magnetisation`."""
    return magnetisation(rows).abs()


def alignment(rows: Tensor) -> Tensor:
    """Mean product of neighbouring expected spins; see `magnetisation`."""
    spins = _spins(rows)
    return exact_sum(spins * spins.roll(-1, dims=1)) / spins.shape[1]


def energy(rows: Tensor) -> Tensor:
    """Energy a spin of the product state at the critical field; see `magnetisation`."""
    spins = _spins(rows)
    across = exact_sum(safe_root(1.0 - spins.square())) / spins.shape[1]
    return -alignment(rows) - across


def _spins(rows: Tensor) -> Tensor:
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise CausalVAEError(
            "CV243",
            f"outputs of shape {tuple(rows.shape[1:])} are no row of spins.",
            "Use this readout with data such as `source: ising`.",
            "graph.attributes",
        )
    return 2.0 * rows.to(torch.float64) - 1.0
