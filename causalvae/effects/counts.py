"""Shares of pairs: exact one-sided limits and tests of a binomial probability."""

from __future__ import annotations

from typing import Final

from causalvae.effects.bootstrap import Ends

EXACT: Final = "Clopper-Pearson, one-sided"


def exact_limits(count: int, n: int, confidence: float) -> Ends:
    """One-sided Clopper-Pearson limits of a probability (Clopper and Pearson 1934): each holds at `confidence` alone.

    Parameters
    ----------
    count, n : int
        Pairs that are counted, and all pairs.
    confidence : float
        In (0, 1).

    Notes
    -----
    The upper limit p solves P(X <= count | n, p) = 1 - confidence, the lower one P(X >= count | n, p) = 1 - confidence.
    With count = 0 the upper limit is 1 - (1 - confidence)^(1 / n).
    """
    from scipy.special import betaincinv

    lower = 0.0 if count == 0 else float(betaincinv(count, n - count + 1, 1 - confidence))
    upper = 1.0 if count == n else float(betaincinv(count + 1, n - count, confidence))
    return Ends(lower, upper, EXACT)


def p_below(count: int, n: int, limit: float) -> float:
    """P(X <= count | n, limit): the p-value for a probability below `limit`."""
    from scipy.special import bdtr

    return 1.0 if limit >= 1 and count == n else float(bdtr(count, n, min(max(limit, 0.0), 1.0)))


def p_above(count: int, n: int, limit: float) -> float:
    """P(X >= count | n, limit): the p-value for a probability above `limit`."""
    from scipy.special import bdtrc

    return 1.0 if count == 0 else float(bdtrc(count - 1, n, min(max(limit, 0.0), 1.0)))
