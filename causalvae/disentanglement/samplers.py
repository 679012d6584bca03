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
            The samples' codes. Nan at the end of a group of fewer samples, where there are no more.
        """
        ...


class PoolSampler:
    """Samples from codes that were computed once.

    A group's value is that of a random sample of the pool, and its members are drawn without replacement among the
    samples with that value. Where these are fewer than the group is to have, all of them are the group.

    Parameters
    ----------
    codes : array, shape (n, n_latents)
    factors : array, shape (n, n_factors)
        Discrete, drawn independently of each other: conditioning on a factor then equals setting it.
    names : sequence of str, optional
        Of the factors, for errors; their numbers stand in where there are none.
    skip_rare : bool, default False
        Omit values that occur once, rather than refuse the factor.

    Raises
    ------
    CausalVAEError
        CV510 to CV513, see `label_codes`; CV515 where a value of a factor that varies occurs once, so that it makes no
        group, or where all do.

    Notes
    -----
    The published scores draw new samples for every vote. From a pool of 10,000, a factor of 40 levels leaves 250
    samples a level, of which a vote on 64 takes a quarter.
    """

    def __init__(
        self, codes: npt.ArrayLike, factors: npt.ArrayLike, names: Sequence[str] = (), skip_rare: bool = False
    ) -> None:
        sample = label_codes(codes, factors)
        sample.refuse_continuous()
        self._codes = sample.codes
        self._levels = sample.levels
        self._orders: list[IntArray] = []
        self._counts: list[IntArray] = []
        for column, size in enumerate(sample.sizes):
            counts = np.bincount(sample.levels[:, column], minlength=size).astype(np.int64)
            if size > 1 and (counts.max() if skip_rare else counts.min()) < 2:
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
        counts = self._counts[factor]
        able = np.flatnonzero(counts[self._levels[:, factor]] > 1)
        levels = self._levels[able[rng.integers(0, len(able), groups)], factor]
        starts = np.cumsum(counts) - counts
        members = draw_distinct(counts[levels], size, rng)
        codes = self._codes[self._orders[factor][starts[levels][:, None] + members]]
        codes[members < 0] = np.nan
        return np.asarray(codes)


def draw_distinct(counts: IntArray, size: int, rng: np.random.Generator) -> IntArray:
    """For each count c, `size` different integers below c; where c is below `size`, all c of them and then -1.

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
        last = np.where(few, place, counts - size + place)
        candidate = rng.integers(0, last + 1)
        taken = (drawn[:, :place] == candidate[:, None]).any(axis=1)
        drawn[:, place] = np.where(few, np.where(place < counts, place, -1), np.where(taken, last, candidate))
    return drawn
