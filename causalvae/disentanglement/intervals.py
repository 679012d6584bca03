"""Intervals of scores over samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from causalvae.disentanglement.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Interval:
    """Both ends of an interval."""

    lower: float
    upper: float


def draw_resamples(n: int, resamples: int, seed: int) -> FloatArray:
    """How often each of `n` samples is in each bootstrap resample: float array, shape (resamples, n)."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples).astype(np.float64)


def draw_halves(n: int, redraws: int, seed: int) -> IntArray:
    """Random halves of `n` samples: int array, shape (redraws, n // 2), each row without repeats.

    Notes
    -----
    A statistic of half of the samples, drawn without replacement, varies about that of all of them as much as that of
    all varies about its expectation: (1 / (n/2)) (1 - 1/2) = 1 / n (the delete-d jackknife with d = n/2; Shao and Wu
    1989, Annals of Statistics 17, 1176). Unlike a bootstrap resample it has no sample twice, which groups of samples
    and nearest ones would notice.
    """
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(n)[: n // 2] for _ in range(redraws)]).astype(np.int64)


def basic_interval(value: float, replicates: FloatArray, confidence: float) -> Interval:
    """The basic interval of a score in [0, 1] from its value and its replicates, shape (b,).

    Notes
    -----
    The replicates' distances from the value are turned about it (Davison and Hinkley 1997, section 5.2). Plug-in
    information is too high on samples and higher still on halves of them, so the percentile interval lies above what
    it should cover.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return Interval(float(np.clip(2 * value - high, 0, 1)), float(np.clip(2 * value - low, 0, 1)))


def spread_interval(value: float, replicates: FloatArray, confidence: float) -> Interval:
    """The t-interval of a score in [0, 1] with the standard deviation of its replicates, shape (b,)."""
    from scipy.stats import t

    reach = float(t.ppf(0.5 + confidence / 2, len(replicates) - 1) * np.std(replicates, ddof=1))
    return Interval(max(value - reach, 0.0), min(value + reach, 1.0))


def accuracy_interval(accuracy: float, trials: int, confidence: float) -> Interval:
    """Wilson's interval (1927) of a share of `trials`."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = accuracy + z * z / (2 * trials)
    reach = z * math.sqrt(accuracy * (1 - accuracy) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # At shares of 0 and 1 the interval ends there, and rounding must not move its end to the wrong side.
    return Interval(min(accuracy, (centre - reach) / scale), max(accuracy, (centre + reach) / scale))
