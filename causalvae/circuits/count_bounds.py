"""A bound on how many pairs are counted, tested exactly: a binomial probability."""

from __future__ import annotations

import math

from causalvae.circuits.types import ClaimTest, Place
from causalvae.effects.claims import RatioColumns
from causalvae.effects.counts import exact_limits, p_above, p_below
from causalvae.spec.hypothesis_section import pairs_without_failure
from causalvae.spec.schema import Bound

_MOST_PAIRS = 10_000_000


def judge_count(columns: RatioColumns, bound: Bound, confidence: float) -> ClaimTest:
    """Test a bound on the share of pairs that are counted; `needed` is left to `pairs_to_settle`.

    Parameters
    ----------
    columns : RatioColumns
        Of n pairs, each numerator 0 or 1, each denominator 1.
    bound : Bound
    confidence : float
        Of each one-sided limit.

    Notes
    -----
    With k of n pairs counted, P(X <= k | n, at_most) supports an upper bound and P(X >= k | n, at_most) refutes it; a
    lower one the other way round. Meeting both ends takes the larger p-value, breaking either the smaller one doubled.
    """
    n, count = columns.n, int(columns.numerator.sum())
    support, refute = [], []
    if bound.at_least is not None:
        support.append(p_above(count, n, bound.at_least))
        refute.append(p_below(count, n, bound.at_least))
    if bound.at_most is not None:
        support.append(p_below(count, n, bound.at_most))
        refute.append(p_above(count, n, bound.at_most))
    limits = exact_limits(count, n, confidence)
    least = -math.inf if bound.at_least is None else bound.at_least
    most = math.inf if bound.at_most is None else bound.at_most
    inside, outside = least <= limits.lower and limits.upper <= most, limits.upper < least or limits.lower > most
    place: Place = "inside" if inside else "outside" if outside else "across"
    return ClaimTest(
        columns.quantity, bound.at_least, bound.at_most, count / n, limits.lower, limits.upper, max(support),
        min(1.0, len(refute) * min(refute)), n, notes=columns.notes, unit=columns.unit, confidence=confidence,
        place=place, is_one_sided=True,
    )  # fmt: skip


def pairs_to_settle(test: ClaimTest, alpha: float, power: float) -> int | None:
    """Pairs that would show an upper bound met, or broken, at the share that was found; None where that is unknown.

    The normal approximation of a one-sided test of a proportion with probability `power`, and no fewer than would do
    without any counted pair.
    """
    from scipy.special import ndtri

    most = test.at_most
    if most is None or not 0 < most < 1 or test.value == most:
        return None
    spreads = [math.sqrt(rate * (1 - rate)) for rate in (most, test.value)]
    reach = float(ndtri(1 - alpha)) * spreads[0] + float(ndtri(power)) * spreads[1]
    pairs = (reach / (test.value - most)) ** 2
    if pairs > _MOST_PAIRS:
        return None
    fewest = pairs_without_failure(most, alpha) if test.value < most else 1
    return max(fewest, math.ceil(pairs))
