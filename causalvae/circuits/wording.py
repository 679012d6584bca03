"""One plain sentence for a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from causalvae.circuits.hypothesis import BoundTest
from causalvae.circuits.nulls import as_good_as, claims_to_carry, stands_out
from causalvae.circuits.types import NullCircuits, Status
from causalvae.spec.schema import Hypothesis


def explain(
    status: Status,
    hypothesis: Hypothesis,
    bounds: Sequence[BoundTest],
    most_broken: BoundTest,
    null: NullCircuits | None,
    needed: int | None,
    family: int,
) -> str:
    """Why a hypothesis got its verdict, with the numbers.

    Parameters
    ----------
    status : str
    hypothesis : Hypothesis
    bounds : sequence of BoundTest
    most_broken : BoundTest
        The bound with the smallest p-value against it; it is told first where the hypothesis is refuted.
    null : NullCircuits or None
    needed : int or None
        Pairs that would probably settle an inconclusive verdict.
    family : int
        Hypotheses tested together.
    """
    told = list(bounds)
    if status == "refuted":
        told = [most_broken] + [bound for bound in bounds if bound is not most_broken]
    parts = [_tell_bound(bound, hypothesis.outcome) for bound in told if not bound.undefined]
    if null is not None:
        parts.insert(1 if parts else 0, _tell_null(null))
    missing = list(dict.fromkeys(bound.undefined for bound in bounds if bound.undefined))
    without = [f"{why}, so there is no effect to share out" for why in missing]
    parts = parts + without if status == "refuted" else without + parts
    if null is None and hypothesis.null.circuits != "none" and not claims_to_carry(hypothesis):
        parts.append(_tell_no_null(hypothesis))
    if status == "inconclusive":
        parts.append(_tell_obstacle(hypothesis, bounds, null, needed, family, bool(missing)))
    sentence = "; ".join(part for part in parts if part)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _tell_bound(bound: BoundTest, outcome: str) -> str:
    test = bound.test
    value = _number(test.value, bound.unit)
    between = ""
    if test.lower is not None and test.upper is not None:
        between = f" ({100 * bound.confidence:g}% interval {_range(test.lower, test.upper, bound.unit)})"
    asked = _asked(bound)
    if test.name == "mediated_share":
        return f"the circuit carries {value} of the effect{between}, {asked}"
    if test.name == "necessity":
        return f"holding the circuit still removes {value} of the effect{between}, {asked}"
    if test.name == "off_target":
        return f"{value} of its effect falls off target{between}, {asked}"
    return f"the treatment moves {outcome} by {value} on average{between}, {asked}"


def _asked(bound: BoundTest) -> str:
    least, most = bound.bound.at_least, bound.bound.at_most
    if least is not None and most is not None:
        return f"the claim asked for {_range(least, most, bound.unit)}"
    if least is not None:
        return f"the claim asked for at least {_number(least, bound.unit)}"
    return f"at most {_number(most or 0.0, bound.unit)} was allowed"


def _tell_no_null(hypothesis: Hypothesis) -> str:
    if hypothesis.expect.mediated_share is not None:
        return "not compared with random circuits: the claim is that the circuit carries little"
    return "not compared with random circuits: the claim is not about what the circuit carries"


def _tell_null(null: NullCircuits) -> str:
    if null.undefined:
        return f"it could not be compared with random circuits: {null.undefined}"
    count = as_good_as(null)
    return f"{count} of {len(null.values)} random circuits of the same size {'does' if count == 1 else 'do'} as well"


def _tell_obstacle(
    hypothesis: Hypothesis,
    bounds: Sequence[BoundTest],
    null: NullCircuits | None,
    needed: int | None,
    family: int,
    undefined: bool,
) -> str:
    if undefined:
        return "a treatment or circuit that moves something is needed before the claim can be judged"
    if needed is not None:
        return f"about {needed} pairs would probably settle it, {bounds[0].test.n} were run"
    to_refute = any(bound.leans == "refute" for bound in bounds)
    if null is not None and not to_refute and null.undefined:
        return f"pairs on which {hypothesis.outcome} changes are needed: raise null.pairs, which is {null.pairs}"
    if null is not None and not to_refute and not stands_out(null, hypothesis.alpha, family):
        least = math.ceil(family / hypothesis.alpha) - 1
        if as_good_as(null) == 0 and len(null.values) < least:
            return f"{len(null.values)} random circuits are too few to show that it stands out, {least} would do"
        return f"so it does not stand out from random circuits (p = {null.p_value:.2g}); more pairs would not help"
    return "the estimate lies too near the bound for any reasonable number of pairs to settle it"


def _number(value: float, unit: str) -> str:
    return f"{_percent(value)}%" if unit == "share" else f"{value:.2f} {unit}"


def _range(lower: float, upper: float, unit: str) -> str:
    if unit == "share":
        low, high = _percent(lower), _percent(upper)
        if low == high:
            low, high = f"{100 * lower:.1f}", f"{100 * upper:.1f}"
        return f"{low} to {high}%"
    return f"{lower:.2f} to {upper:.2f} {unit}"


def _percent(value: float) -> str:
    """A share as whole percent, with a decimal where rounding would hide which side of a whole number it is on."""
    # Adding zero turns the minus zero that rounding may leave into zero.
    percent = round(100 * value, 1) + 0.0
    whole = abs(percent) >= 10 or abs(percent - round(percent)) < 0.05
    return f"{round(percent) + 0.0:.0f}" if whole else f"{percent:.1f}"
