"""One plain sentence for a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from causalvae.circuits.hypothesis import BoundTest
from causalvae.circuits.nulls import as_good_as, stands_out
from causalvae.circuits.types import NullCircuits, Status
from causalvae.spec.schema import Hypothesis


def explain(
    status: Status,
    hypothesis: Hypothesis,
    bounds: Sequence[BoundTest],
    broken: BoundTest | None,
    null: NullCircuits | None,
    needed: int | None,
    family: int,
    p_support: float,
    p_refute: float,
) -> str:
    """Why a hypothesis got its verdict, with the numbers.

    Parameters
    ----------
    status : str
    hypothesis : Hypothesis
    bounds : sequence of BoundTest
    broken : BoundTest or None
        The bound that refutes the hypothesis, which is told first.
    null : NullCircuits or None
    needed : int or None
        Pairs that would probably settle an inconclusive verdict.
    family : int
        Hypotheses tested together.
    p_support, p_refute : float
        Adjusted across the family.
    """
    told = list(bounds)
    if broken is not None:
        told = [broken] + [bound for bound in bounds if bound is not broken]
    parts = [_tell_bound(bound, hypothesis.outcome) for bound in told if not bound.undefined]
    if null is not None:
        parts.insert(1 if parts else 0, _tell_null(null))
    missing = list(dict.fromkeys(bound.undefined for bound in bounds if bound.undefined))
    without = [f"{why}, so there is no effect to share out" for why in missing]
    parts = parts + without if status == "refuted" else without + parts
    if null is None and hypothesis.null.circuits != "none" and not hypothesis.claims_to_carry:
        parts.append(_tell_no_null(hypothesis))
    if status == "inconclusive":
        parts.append(_tell_obstacle(hypothesis, bounds, null, needed, family, p_support, p_refute))
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
    p_support: float,
    p_refute: float,
) -> str:
    """What stands between an inconclusive verdict and a settled one."""
    if any(bound.undefined for bound in bounds):
        return "a treatment or circuit that moves something is needed before the claim can be judged"
    run = bounds[0].test.n
    more = "" if needed is None else f"about {needed} pairs would probably settle it, {run} were run"
    if any(bound.outside for bound in bounds):
        short = (
            f"an estimate lies clearly outside its bound, but on {run} pairs the evidence against the claim is short"
        )
        return "; ".join(filter(None, (f"{short} (p = {p_refute:.2g}, alpha = {hypothesis.alpha:g})", more)))
    if more:
        return more
    if null is not None and not any(bound.leans == "refute" for bound in bounds):
        if null.undefined:
            return f"pairs on which {hypothesis.outcome} changes are needed: raise null.pairs, which is {null.pairs}"
        if not stands_out(null, hypothesis.alpha, family):
            return _tell_crowd(null, hypothesis, family, run)
    if all(bound.inside for bound in bounds):
        short = f"all estimates lie within their bounds, but on {run} pairs the evidence for the claim is short"
        return f"{short} (p = {p_support:.2g}, alpha = {hypothesis.alpha:g})"
    if any(bound.needed is not None for bound in bounds):
        return f"it falls just short: somewhat more pairs than the {run} that were run would probably settle it"
    return "the estimate lies too near the bound for any reasonable number of pairs to settle it"


def _tell_crowd(null: NullCircuits, hypothesis: Hypothesis, family: int, run: int) -> str:
    least = math.ceil(family / hypothesis.alpha) - 1
    if as_good_as(null) == 0 and len(null.values) < least:
        return f"{len(null.values)} random circuits are too few to show that it stands out, {least} would do"
    crowd = f"so it does not stand out from random circuits (p = {null.p_value:.2g})"
    if null.pairs < run:
        some = f"they were run on {null.pairs} of the {run} pairs, as null.pairs says"
        return f"{crowd}; {some}, so only raising it may help"
    return f"{crowd} on all {run} pairs"


def _number(value: float, unit: str) -> str:
    return f"{_percent(value)}%" if unit == "share" else f"{_fixed(value, 2)} {unit}"


def _range(lower: float, upper: float, unit: str) -> str:
    if unit == "share":
        low, high = _percent(lower), _percent(upper)
        if low == high:
            low, high = _fixed(100 * lower, 1), _fixed(100 * upper, 1)
        return f"{low} to {high}%"
    return f"{_fixed(lower, 2)} to {_fixed(upper, 2)} {unit}"


def _percent(value: float) -> str:
    """A share as whole percent, with a decimal where rounding would hide which side of a whole number it is on."""
    percent = round(100 * value, 1)
    whole = abs(percent) >= 10 or abs(percent - round(percent)) < 0.05
    return _fixed(percent, 0 if whole else 1)


def _fixed(value: float, digits: int) -> str:
    # Adding zero turns the minus zero that rounding may leave into zero.
    return f"{round(value, digits) + 0.0:.{digits}f}"
