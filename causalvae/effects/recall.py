"""How many of the best components a screen kept, told from those that it kept and a random sample of the rest.

Of N components a screen kept the k that ranked best and left N - k; m of these, drawn at random without replacement,
were measured as well. The *recall* is the share of the k components with truly largest effects that are among the kept.
Of equal effects the kept ones count as larger.

With t_1 <= t_2 <= ... the effects of the kept, smallest first, and R(t) the number of left components whose effect is
above t, the screen missed M = max{b : R(t_b) >= b} of the best, and its recall is 1 - M / k: the b-th smallest of the
kept is not among the best exactly where b or more of the rest lie above it. Each R(t) has the unbiased estimate
(N - k) / m times the count in the sample, which is its Horvitz-Thompson estimate with inclusion probability m / (N - k)
for all; M is estimated by where that curve crosses b, rounded to the nearest. A crossing is no count: it is unbiased
only with all of the rest in the sample, and else the recall is high by about one part in a hundred.

The interval holds at any size of the sample. A count above a fixed t is hypergeometric, so "R(t_b) >= b" can be tested
exactly; the upper end for M is the largest b that is not rejected. M >= b and R(t_b) >= b say the same, so the truth is
cut off with at most the test's error. The lower end is made the same way, from the tests of "R(t_b) < b".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.statistics.ranks import mean_ranks

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bounded:
    """A number and its interval; an end that is not known is NaN."""

    value: float
    lower: float = math.nan
    upper: float = math.nan


def estimate_recall(kept: FloatArray, checked: FloatArray, rest: int, confidence: float) -> Bounded:
    """The share of the truly best components that a screen kept, with its interval.

    Parameters
    ----------
    kept : float array, shape (k,)
        Effects of the components that the screen kept, k at least 1.
    checked : float array, shape (m,)
        Effects of a random sample of those that it left.
    rest : int
        How many it left, the sample among them.
    confidence : float
        Coverage of the interval, at least.

    Returns
    -------
    Bounded
        In [0, 1]; without a sample of a rest that is there, the value is NaN and the interval [0, 1].

    Raises
    ------
    ValueError
        Where more were checked than were left, or none was kept.
    """
    k, m = len(kept), len(checked)
    if m > rest or k < 1:
        raise ValueError(f"{k} kept, {m} of {rest} others checked")
    if rest == 0:
        return Bounded(1.0, 1.0, 1.0)
    if m == 0:
        return Bounded(math.nan, 0.0, 1.0)
    # An effect that is defined for no pair is none of the best.
    thresholds = np.sort(np.nan_to_num(kept, nan=-np.inf))
    sample = np.sort(np.nan_to_num(checked, nan=-np.inf))
    hits = m - np.searchsorted(sample, thresholds, side="right")
    places = np.arange(1, k + 1)
    estimated = rest / m * hits
    crossed = np.flatnonzero(estimated >= places - 0.5)
    missed = float(places[crossed[-1]]) if len(crossed) else 0.0
    alpha = (1 - confidence) / 2
    tails = _Tails(rest, m)
    # b of the rest above t_b, or more, are as good as refuted where so few of the sample would be seen too rarely.
    tests = list(zip(places.tolist(), hits.tolist(), strict=True))
    most = max((b for b, seen in tests if tails.at_most(seen, b) > alpha), default=0)
    least = 0
    for b, seen in tests:
        if tails.at_least(seen, b - 1) > alpha:
            break
        least = b
    return Bounded(1 - missed / k, 1 - most / k, 1 - least / k)


class _Tails:
    """Tail probabilities of the number of marked ones among `drawn` of `size`, drawn without replacement."""

    def __init__(self, size: int, drawn: int) -> None:
        self._size = size
        self._drawn = drawn
        self._log_factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, size + 1)))))

    def _probabilities(self, marked: int) -> FloatArray:
        """Of 0, 1, ..., `drawn` marked ones: float array, (drawn + 1,)."""
        seen = np.arange(self._drawn + 1)
        possible = (seen <= marked) & (self._drawn - seen <= self._size - marked)
        logs = np.full(self._drawn + 1, -np.inf)
        logs[possible] = (
            self._choose(marked, seen[possible])
            + self._choose(self._size - marked, self._drawn - seen[possible])
            - self._choose(self._size, np.array(self._drawn))
        )
        found: FloatArray = np.exp(logs)
        return found

    def _choose(self, n: int, k: npt.NDArray[np.int64]) -> FloatArray:
        table = self._log_factorials
        chosen: FloatArray = table[n] - table[k] - table[n - k]
        return chosen

    def at_most(self, seen: int, marked: int) -> float:
        """P(count <= seen) with `marked` marked ones; 0 where there cannot be this many."""
        return float(self._probabilities(marked)[: seen + 1].sum()) if marked <= self._size else 0.0

    def at_least(self, seen: int, marked: int) -> float:
        """P(count >= seen) with `marked` marked ones; of more than there are, as for all."""
        return float(self._probabilities(min(marked, self._size))[seen:].sum())


def rank_correlation(first: FloatArray, second: FloatArray, confidence: float) -> Bounded:
    """Spearman's rank correlation, ties at their mean rank, with Fisher's interval.

    The variance of its inverse hyperbolic tangent is taken as (1 + r^2 / 2) / (n - 3) (Bonett and Wright 2000). Pairs
    with a value that is not finite are omitted; NaN with fewer than 2, or where one side does not vary.
    """
    known = np.isfinite(first) & np.isfinite(second)
    ranks = [mean_ranks(values[known]) for values in (first, second)]
    n = int(known.sum())
    if n < 2 or any(float(np.ptp(rank)) == 0.0 for rank in ranks):
        return Bounded(math.nan)
    r = float(np.clip(np.corrcoef(ranks[0], ranks[1])[0, 1], -1.0, 1.0))
    if n < 4 or abs(r) == 1.0:
        return Bounded(r)
    from statistics import NormalDist

    half = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt((1 + r * r / 2) / (n - 3))
    return Bounded(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))
