"""Where the FactorVAE and beta-VAE scores get samples from that share a factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import FloatArray, IntArray, label_codes
from causalvae.errors import CausalVAEError


class FixedFactorSampler(Protocol):
    """Draws codes of samples that share the value of one factor."""

    def __call__(self, factor: int, groups: int, size: int, rng: np.random.Generator) -> FloatArray:
        """Draw groups of samples.

        Parameters
        ----------
        factor : int
            Column of the factor that is the same throughout a group.
        groups : int
            Each has a value of its own, drawn from the factor's distribution.
        size : int
            Samples a group; all other factors vary among them.
        rng : numpy.random.Generator

        Returns
        -------
        float array, shape (groups, size, n_latents)
            The samples' codes.
        """
        ...


class PoolSampler:
    """Samples from codes that were computed once.

    A group's value is that of a random sample of the pool, and its members are drawn without replacement among the
    samples with that value; with replacement only where these are fewer than the group is to have.

    Parameters
    ----------
    codes : array, shape (n, n_latents)
    factors : array, shape (n, n_factors)
        Discrete, drawn independently of each other: conditioning on a factor then equals setting it.
    names : sequence of str, optional
        Of the factors, for errors; their numbers stand in where there are none.

    Raises
    ------
    CausalVAEError
        CV510 to CV513, see `label_codes`; CV515 where a value of a factor that varies occurs once, so that it makes no
        group.

    Notes
    -----
    The published scores draw new samples for every vote. From a pool of 10,000, a factor of 40 levels leaves 250
    samples a level, of which a vote on 64 takes a quarter.
    """

    def __init__(self, codes: npt.ArrayLike, factors: npt.ArrayLike, names: Sequence[str] = ()) -> None:
        sample = label_codes(codes, factors)
        sample.refuse_continuous()
        self._codes = sample.codes
        self._levels = sample.levels
        self._orders: list[IntArray] = []
        self._counts: list[IntArray] = []
        for column, size in enumerate(sample.sizes):
            counts = np.bincount(sample.levels[:, column], minlength=size).astype(np.int64)
            if size > 1 and counts.min() < 2:
                named = f"'{names[column]}'" if names else f"factor {column}"
                raise CausalVAEError(
                    "CV515",
                    f"A value of {named} occurs once among {len(sample.codes)} samples, and a group that "
                    "shares it needs two.",
                    "Draw more samples, or bin the factor more coarsely.",
                    "factors",
                )
            self._orders.append(np.argsort(sample.levels[:, column], kind="stable"))
            self._counts.append(counts)

    def __call__(self, factor: int, groups: int, size: int, rng: np.random.Generator) -> FloatArray:
        """Draw groups of samples; see `FixedFactorSampler`."""
        levels = self._levels[rng.integers(0, len(self._codes), groups), factor]
        counts = self._counts[factor]
        starts = np.cumsum(counts) - counts
        members = draw_distinct(counts[levels], size, rng)
        return np.asarray(self._codes[self._orders[factor][starts[levels][:, None] + members]])


def draw_distinct(counts: IntArray, size: int, rng: np.random.Generator) -> IntArray:
    """For each count c, `size` different integers below c; with repetition where c is below `size`.

    Floyd's algorithm (Bentley and Floyd 1987) over all counts at once: every subset is equally likely.

    Parameters
    ----------
    counts : int array, shape (g,)
    size : int
    rng : numpy.random.Generator

    Returns
    -------
    int array, shape (g, size)
    """
    few = counts < size
    drawn = np.empty((len(counts), size), dtype=np.int64)
    for place in range(size):
        last = np.where(few, counts, counts - size + place + 1) - 1
        candidate = rng.integers(0, last + 1)
        taken = (drawn[:, :place] == candidate[:, None]).any(axis=1) & ~few
        drawn[:, place] = np.where(taken, last, candidate)
    return drawn
