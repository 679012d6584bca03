"""Seeded, vectorised paired bootstrap: intervals of ratios of sums over pairs.

Every statistic of this room is a ratio of two sums over pairs, a mean (the second sum is the number of pairs) or a
monotone function of one. So one matrix of resampling counts, times the columns of per-pair values, gives all replicates
of all statistics at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_CHUNK = 512


@dataclass(frozen=True)
class Interval:
    """Point estimates and interval ends of k statistics; each has shape (k,); an undefined one is NaN."""

    value: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class PairedBootstrap:
    """Resampling of whole pairs, the same resamples for every statistic.

    Parameters
    ----------
    n : int
        Pairs.
    resamples : int
        Bootstrap resamples.
    confidence : float
        Coverage of the intervals, in (0, 1).
    seed : int
        Of the resampling.

    Notes
    -----
    Percentile intervals (Efron and Tibshirani 1993, section 13.3). `ratio` holds point estimate, per-pair columns (from
    which a jackknife is one subtraction) and replicates together, so that the bias-corrected accelerated interval can
    take the percentile interval's place without a change for any caller.
    """

    n: int
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    @cached_property
    def weights(self) -> FloatArray:
        """How often each pair is in each resample, shape (resamples, n)."""
        rng = np.random.default_rng(self.seed)
        drawn = rng.integers(0, self.n, (self.resamples, self.n))
        drawn += self.n * np.arange(self.resamples)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=self.resamples * self.n)
        return counts.reshape(self.resamples, self.n).astype(np.float64)

    def replicates(self, numerator: FloatArray, denominator: FloatArray | None = None) -> FloatArray:
        """Ratios of resampled sums.

        Parameters
        ----------
        numerator : float array, shape (k, n)
            Per-pair values of k statistics.
        denominator : float array, shape (k, n), optional
            Per-pair values below the line; ones where it is left out.

        Returns
        -------
        float array, shape (k, resamples)
            NaN where a resampled denominator is zero.
        """
        top = numerator @ self.weights.T
        if denominator is None:
            return np.asarray(top / self.n)
        return _divide(top, denominator @ self.weights.T)

    def ratio(self, numerator: FloatArray, denominator: FloatArray | None = None) -> Interval:
        """Ratios of sums with their intervals; parameters as in `replicates`."""
        k = len(numerator)
        lower, upper = np.empty(k), np.empty(k)
        for start in range(0, k, _CHUNK):
            part = slice(start, start + _CHUNK)
            draws = self.replicates(numerator[part], None if denominator is None else denominator[part])
            lower[part], upper[part] = self.interval(draws)
        if denominator is None:
            return Interval(numerator.mean(axis=1), lower, upper)
        return Interval(_divide(numerator.sum(axis=1), denominator.sum(axis=1)), lower, upper)

    def interval(self, replicates: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Percentile interval of each row of `replicates`, shape (k, resamples), NaN left out."""
        tail = (1 - self.confidence) / 2
        levels = [tail, 1 - tail]
        if np.isfinite(replicates).all():
            ends = np.quantile(replicates, levels, axis=1)
        else:
            ends = np.full((2, len(replicates)), np.nan)
            defined = np.isfinite(replicates).any(axis=1)
            finite = np.where(np.isfinite(replicates[defined]), replicates[defined], np.nan)
            ends[:, defined] = np.nanquantile(finite, levels, axis=1)
        return ends[0], ends[1]


@lru_cache(maxsize=8)
def paired_bootstrap(n: int, resamples: int, confidence: float, seed: int) -> PairedBootstrap:
    """The bootstrap of these settings, made once, so that statistics on equally many pairs share its weights."""
    return PairedBootstrap(n, resamples, confidence, seed)


def _divide(top: FloatArray, bottom: FloatArray) -> FloatArray:
    result = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result
