"""Plain sentences for a verdict, and for what was found about its circuit."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.circuits.hypothesis import BoundTest
from causalvae.circuits.types import Circuit, CircuitScore, Minimality, Rivals, Status, UnitShare
from causalvae.models.components import ComponentRef
from causalvae.spec.hypothesis_section import FEWEST_PAIRS
from causalvae.spec.schema import Hypothesis

_MOST_NAMED = 8


def explain(
    status: Status,
    hypothesis: Hypothesis,
    bounds: Sequence[BoundTest],
    broken: int | None,
    rivals: Rivals | None,
    minimality: Minimality | None,
    cancelling: Sequence[UnitShare],
    needed: int | None,
    p_values: tuple[float, float],
    pairs: int,
) -> str:
    """Why a hypothesis got its verdict, with the numbers.

    Parameters
    ----------
    status : str
    hypothesis : Hypothesis
    bounds : sequence of BoundTest
    broken : int or None
        The place of the bound that refutes the hypothesis, which is told first; beyond them, that of minimality.
    rivals : Rivals or None
    minimality : Minimality or None
    cancelling : sequence of UnitShare
    needed : int or None
        Pairs that would probably settle an inconclusive verdict.
    p_values : (float, float)
        For and against everything that is claimed, adjusted across the spec's hypotheses.
    pairs : int
        Pairs of the bound that has the fewest.
    """
    first = None if broken is None or broken >= len(bounds) else bounds[broken]
    # The fit is told where it says more than the share does: that only the fit is not within its bound.
    plain = all(bound.inside for bound in bounds if bound.test.name != "pairwise_fit")
    told = [bound for bound in bounds if bound.test.name != "pairwise_fit" or (plain and not bound.inside)]
    told = ([first] if first is not None else []) + [bound for bound in told if bound is not first]
    parts = [_tell_bound(bound, hypothesis) for bound in told if not bound.undefined]
    if first is not None and first.test.name == "mediated_share" and _overshoots(first):
        parts.insert(1, tell_overshoot(cancelling))
    if broken is not None and first is None and minimality is not None:
        parts.insert(0, f"the circuit is claimed to be minimal, and {tell_minimality(minimality)}")
    elif hypothesis.judges_minimal and minimality is not None:
        parts.append(tell_minimality(minimality))
    if rivals is not None and hypothesis.judges_special and status != "refuted":
        if status == "unspecific":
            parts.append("so the circuit is sufficient, but it is not the only one")
        if not any(bound.undefined for bound in bounds):
            parts.append(tell_rivals(rivals))
    missing = list(dict.fromkeys(bound.undefined for bound in bounds if bound.undefined))
    without = [f"{why}, so there is no effect to share out" for why in missing]
    parts = parts + without if status == "refuted" else without + parts
    if status == "inconclusive":
        parts.append(_tell_obstacle(hypothesis, bounds, rivals, minimality, needed, p_values, pairs))
    sentence = "; ".join(part for part in parts if part)
    return f"{sentence[0].upper()}{sentence[1:]}."


def tell_rivals(rivals: Rivals) -> str:
    """How a circuit compares with others of its size."""
    if rivals.kind == "none":
        return {
            "not_asked": "it was not compared with other circuits",
            "whole_site": "no other circuit has its size, because it takes its sites whole",
            "no_other": "no other unit of its sites does anything under this treatment, so no other circuit could do "
            "as well",
            "": "",
        }[rivals.why_none]
    if rivals.own is None:
        return "it could not be compared with other circuits: the treatment changes nothing on these pairs"
    others = "random circuits" if rivals.kind == "random" else "other circuits"
    size = (
        "of at most its size" if rivals.kind == "every" and sum(map(_size, rivals.own.circuit)) > 1 else "of its size"
    )
    words = f"{rivals.as_well} of {rivals.count} {others} {size} {'does' if rivals.as_well == 1 else 'do'} as well"
    if not rivals.best:
        return words
    best = rivals.best[0]
    nearest = f"{name_circuit(best.circuit)} (relative error {_errors(best)} against {_errors(rivals.own)})"
    if not rivals.as_well:
        return f"{words}; the best of them is {nearest}"
    part = next((rival for rival in rivals.best if rival.is_part and _comes_near(rival, rivals)), None)
    if part is not None:
        return f"a part of it does as well: {name_circuit(part.circuit)}; {words}"
    return f"{words}, such as {nearest}"


def tell_minimality(minimality: Minimality) -> str:
    """Whether every member is needed, and which are not."""
    total = len(minimality.members)
    useless, undecided = minimality.of("useless"), minimality.of("undecided")
    if not useless and not undecided:
        return f"each of its {total} members is needed"
    parts = []
    if useless:
        verb = "is" if len(useless) == 1 else "are"
        parts.append(f"{len(useless)} of its {total} members {verb} not needed: {_list(useless)}")
    if undecided:
        parts.append(f"not decided for {_list(undecided)}")
    if minimality.without_useless is not None:
        if minimality.without_useless > minimality.margin:
            parts.append("each of these can be taken away alone, but not all of them together")
        if minimality.smallest:
            inside = " or ".join(name_circuit(circuit) for circuit in minimality.smallest[:_MOST_NAMED])
            parts.append(f"the smallest circuit in it that does as well is {inside}")
    return "; ".join(parts)


def tell_cancelling(cancelling: Sequence[UnitShare]) -> str:
    """Which units work against the effect."""
    outside = [unit for unit in cancelling if not unit.in_circuit]
    inside = [unit for unit in cancelling if unit.in_circuit]
    parts = []
    for units, where in ((outside, "outside the circuit"), (inside, "in the circuit")):
        if units:
            named = ", ".join(f"{unit.unit.label} ({_percent(unit.share)}%)" for unit in units[:_MOST_NAMED])
            parts.append(f"{where}, {named} {'carries' if len(units) == 1 else 'carry'} a negative share alone")
    return "; ".join(parts)


def tell_overshoot(cancelling: Sequence[UnitShare]) -> str:
    """What cancels a circuit that carries more than the effect."""
    outside = [unit for unit in cancelling if not unit.in_circuit]
    if not outside:
        return (
            "it carries more than the whole effect, so something else cancels it, which no unit of its sites does alone"
        )
    named = ", ".join(f"{unit.unit.label} (alone {_percent(unit.share)}%)" for unit in outside[:_MOST_NAMED])
    return f"it carries more than the whole effect, so something else cancels it: {named}"


def name_circuit(circuit: Circuit) -> str:
    """A circuit as a reader would write it."""
    return " + ".join(part.label for part in circuit)


def _list(members: Sequence[ComponentRef]) -> str:
    named = ", ".join(member.label for member in members[:_MOST_NAMED])
    return named if len(members) <= _MOST_NAMED else f"{named} and {len(members) - _MOST_NAMED} more"


def _size(part: ComponentRef) -> int:
    return 2 if part.units is None else len(part.units)


def _errors(score: CircuitScore) -> str:
    """The relative errors of a circuit: alone, and when it is removed."""
    known = [error for error in (score.error, score.error_removed) if error is not None]
    return " and ".join(f"{_percent(error)}%" for error in known)


def _comes_near(rival: CircuitScore, rivals: Rivals) -> bool:
    """Whether a rival is within the margin of the claimed circuit in every measure."""
    own = rivals.own
    if own is None:
        return False
    pairs = ((rival.error, own.error), (rival.error_removed, own.error_removed))
    return all(
        theirs is not None and theirs <= mine + rivals.margin * (1 + 1e-9) for theirs, mine in pairs if mine is not None
    )


def _overshoots(bound: BoundTest) -> bool:
    return bound.bound.at_most is not None and bound.test.value > max(bound.bound.at_most, 1.0)


def _tell_bound(bound: BoundTest, hypothesis: Hypothesis) -> str:
    test, outcome = bound.test, hypothesis.outcome
    value = _number(test.value, bound.unit)
    between = ""
    if test.lower is not None and test.upper is not None:
        between = f" ({100 * bound.confidence:g}% interval {_range(test.lower, test.upper, bound.unit)})"
    asked = _asked(bound)
    share = hypothesis.expect.mediated_share
    if test.name == "mediated_share" and share is not None and share.at_most is None and not _overshoots(bound):
        # The upper end is implied, and not what is at stake here.
        asked = f"the claim asked for at least {_number(share.at_least or 0.0, bound.unit)}"
    if test.name == "mediated_share":
        return f"the circuit carries {value} of the effect{between}, {asked}"
    if test.name == "pairwise_fit":
        return f"pair by pair it accounts for {value} of the effect's square{between}, and such a share needs " + (
            f"at least {_number(bound.bound.at_least or 0.0, bound.unit)}"
        )
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


def _tell_obstacle(
    hypothesis: Hypothesis,
    bounds: Sequence[BoundTest],
    rivals: Rivals | None,
    minimality: Minimality | None,
    needed: int | None,
    p_values: tuple[float, float],
    pairs: int,
) -> str:
    """What stands between an inconclusive verdict and a settled one."""
    p_support, p_refute = p_values
    if pairs < FEWEST_PAIRS:
        return f"{pairs} pairs are too few to judge a claim by, {FEWEST_PAIRS} are needed"
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
    if not all(bound.inside for bound in bounds):
        if any(bound.needed is not None for bound in bounds):
            return f"it falls just short: somewhat more pairs than the {run} that were run would probably settle it"
        return "the estimate lies too near the bound for any reasonable number of pairs to settle it"
    if max(bound.test.p_support for bound in bounds) > hypothesis.alpha:
        short = f"all estimates lie within their bounds, but on {run} pairs the evidence for the claim is short"
        return f"{short} (p = {p_support:.2g}, alpha = {hypothesis.alpha:g})"
    crowd = rivals is not None and rivals.judged and (rivals.p_value or 0.0) > hypothesis.alpha
    if crowd and rivals is not None:
        return f"so it is not shown to be the only such circuit (p = {rivals.p_value:.2g})" + _more_pairs(rivals, run)
    if hypothesis.judges_minimal and minimality is not None and minimality.p_minimal > hypothesis.alpha:
        return f"so it is not shown to be minimal (p = {minimality.p_minimal:.2g})"
    return f"corrected for the spec's hypotheses the evidence for the claim is short (p = {p_support:.2g}, alpha = " + (
        f"{hypothesis.alpha:g})"
    )


def _more_pairs(rivals: Rivals, run: int) -> str:
    if 0 < rivals.pairs < run:
        return f"; circuits were compared on {rivals.pairs} of the {run} pairs, as null.pairs says"
    return ""


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
