"""A hypothesis' bounds, tested.

A bound on a ratio sum(a) / sum(b) >= t is linearised: d_i = a_i - t b_i has mean zero exactly on the bound, so a
one-sided one-sample t-test of d tests it without dividing (Fieller 1954). Meeting both ends of a bound is an
intersection-union test, so the larger p-value supports; breaking either end is a union, so the smaller one is doubled
to refute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from causalvae.circuits.count_bounds import judge_count, pairs_to_settle
from causalvae.circuits.types import ClaimTest, Place
from causalvae.effects.bootstrap import FloatArray, PairedBootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.effects.mediation import few_misses
from causalvae.effects.notes import Note
from causalvae.effects.significance import t_test
from causalvae.spec.schema import Bound

POWER = 0.8
_MOST_PAIRS = 10_000_000
_SHARES = ("mediated_share", "necessity")


@dataclass(frozen=True)
class BoundTest:
    """A claim test, and what would settle it.

    Parameters
    ----------
    test : ClaimTest
    leans : {"support", "refute", "neither"}
        Which side the estimate is on; neither where the ratio is undefined or the estimate lies on the bound.
    needed : int or None
        Pairs after which the side that it leans to would be shown with probability `POWER`.
    """

    test: ClaimTest
    leans: str
    needed: int | None

    @property
    def inside(self) -> bool:
        """Whether the whole interval meets the bound."""
        return self.test.place == "inside"

    @property
    def outside(self) -> bool:
        """Whether the whole interval breaks the bound."""
        return self.test.place == "outside"


def assess_bound(
    columns: RatioColumns,
    bound: Bound,
    bootstrap: PairedBootstrap,
    alpha: float,
    bounds: int = 1,
    is_upper_implied: bool = False,
) -> BoundTest:
    """Test a bound on a ratio of sums over pairs.

    Parameters
    ----------
    columns : RatioColumns
        With n >= 2 pairs.
    bound : Bound
        At least, at most, or both.
    bootstrap : PairedBootstrap
        Over the same pairs; gives the interval.
    alpha : float
        One-sided level that the hypothesis must reach, for the number of pairs needed.
    bounds : int
        Bounds of the hypothesis: refuting one of several takes a level that much smaller.
    is_upper_implied : bool
        Whether the claim gives no upper end of its own.
    """
    if columns.undefined:
        test = ClaimTest(
            columns.quantity, bound.at_least, bound.at_most, 0.0, None, None, 1.0, 1.0, columns.n,
            notes=(Note("undefined_as_zero"), columns.undefined), unit=columns.unit, confidence=bootstrap.confidence,
            undefined=columns.undefined, is_upper_implied=is_upper_implied,
        )  # fmt: skip
        return BoundTest(test, "neither", None)

    if columns.is_count:
        test = replace(judge_count(columns, bound, bootstrap.confidence), is_upper_implied=is_upper_implied)
        return _count_test(test, min(alpha, 1 - bootstrap.confidence))

    ratio = bootstrap.ratio(columns.numerator[None], columns.denominator[None])
    value, lower, upper = float(ratio.value[0]), float(ratio.lower[0]), float(ratio.upper[0])
    margins = []
    if bound.at_least is not None:
        margins.append(columns.numerator - bound.at_least * columns.denominator)
    if bound.at_most is not None:
        margins.append(bound.at_most * columns.denominator - columns.numerator)
    tested = t_test(np.stack(margins))
    p_support = float(tested.p_greater.max())
    p_refute = min(1.0, len(margins) * float(tested.p_less.min()))

    spans = bootstrap.ratio(np.stack(margins))
    inside, outside = bool((spans.lower >= 0).all()), bool((spans.upper < 0).any())
    least = -math.inf if bound.at_least is None else bound.at_least
    most = math.inf if bound.at_most is None else bound.at_most
    if (inside, outside) != (least <= lower and upper <= most, upper < least or lower > most):
        lower, upper = invert_margins(columns, bootstrap)
    place: Place = "inside" if inside else "outside" if outside else "across"
    tail = (1 - bootstrap.confidence) / 2
    to_support = [pairs_needed(m, s, min(alpha, tail)) for m, s in zip(tested.mean, tested.sd, strict=True)]
    to_refute = [
        pairs_needed(-m, s, min(alpha / (bounds * len(margins)), tail))
        for m, s in zip(tested.mean, tested.sd, strict=True)
    ]
    leans, needed = "neither", None
    if (tested.mean < 0).any():
        leans = "refute"
        needed = min((n for n in to_refute if n is not None), default=None)
    elif (tested.mean > 0).all():
        leans = "support"
        needed = None if None in to_support else max(n for n in to_support if n is not None)
    notes = columns.notes
    if columns.quantity in _SHARES:
        notes += few_misses(columns.numerator, columns.denominator)
    open_question = min(p_support, p_refute) > alpha or not (inside or outside)
    test = ClaimTest(
        columns.quantity, bound.at_least, bound.at_most, value, lower, upper, p_support, p_refute, columns.n,
        needed=needed if open_question else None, notes=notes, unit=columns.unit,
        confidence=bootstrap.confidence, place=place, is_upper_implied=is_upper_implied,
    )  # fmt: skip
    return BoundTest(test, leans, needed)


def invert_margins(columns: RatioColumns, bootstrap: PairedBootstrap) -> tuple[float, float]:
    """The ratios t for which the interval of the margin a - t b holds zero: their ends.

    The studentised interval of a ratio is far too wide where only a few pairs have any spread, since many resamples
    have none of them; margins do not have this fault, and a bound is judged by them.

    Parameters
    ----------
    columns : RatioColumns
    bootstrap : PairedBootstrap
    """
    value = float(columns.numerator.sum() / columns.denominator.sum())
    return _end(columns, bootstrap, value, -1), _end(columns, bootstrap, value, 1)


def _end(columns: RatioColumns, bootstrap: PairedBootstrap, value: float, side: int) -> float:
    """The last ratio on a side of the estimate whose margin may be zero, to 1 / 16 ** 4 of its distance."""

    def may_be_zero(ratios: FloatArray) -> npt.NDArray[np.bool_]:
        spans = bootstrap.ratio(columns.numerator - ratios[:, None] * columns.denominator)
        return (spans.lower < 0) & (spans.upper >= 0)

    reaches = value + side * (1 + abs(value)) * np.exp2(np.arange(-20.0, 11.0))
    beyond = np.flatnonzero(~may_be_zero(reaches))
    if not len(beyond):
        return float(reaches[-1])
    near, far = value, float(reaches[beyond[0]])
    for _ in range(4):
        ratios = np.linspace(near, far, 17)
        last = int(np.flatnonzero(~may_be_zero(ratios[1:]))[0])
        near, far = float(ratios[last]), float(ratios[last + 1])
    return near


def _count_test(test: ClaimTest, alpha: float) -> BoundTest:
    """A test of counted pairs with what would settle it."""
    bound = test.at_most
    leans = "neither" if bound is None or test.value == bound else "refute" if test.value > bound else "support"
    is_open = min(test.p_support, test.p_refute) > alpha or test.place == "across"
    needed = pairs_to_settle(test, alpha, POWER)
    return BoundTest(replace(test, needed=needed if is_open else None), leans, needed)


def pairs_needed(mean: float, sd: float, alpha: float) -> int | None:
    """Pairs for a one-sided test at `alpha` to show that a mean is positive, with probability `POWER`.

    n = ((z_{1 - alpha} + z_{POWER}) sd / mean)^2, the normal approximation. None where the mean is not positive, or
    where the number is beyond all reason.
    """
    from scipy.special import ndtri

    if mean <= 0:
        return None
    pairs = ((float(ndtri(1 - alpha)) + float(ndtri(POWER))) * sd / mean) ** 2
    return None if pairs > _MOST_PAIRS else max(2, math.ceil(pairs))
