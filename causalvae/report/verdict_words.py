"""Plain sentences for a verdict, and for what was found about its circuit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from causalvae.circuits.types import (
    Circuit,
    CircuitScore,
    ClaimTest,
    Failing,
    Minimality,
    Part,
    Rivals,
    Subsets,
    UnitShare,
    Verdict,
)
from causalvae.report.glossary import term_of
from causalvae.report.notes import note_words
from causalvae.report.numbers import format_number
from causalvae.spec.quantity import QUANTITIES

_MOST_NAMED = 8
_MOST_PARTS = 12
# Shares between these have two digits: as a whole percentage they would be 0 %. Smaller ones are rounding.
_SMALLEST, _SMALL = 1e-4, 5e-3
# Tests of what the circuit carries over all pairs.
_MEANS = frozenset({"mediated_share", "equivalent"})


def reason(verdict: Verdict, brief: bool = False) -> str:
    """Why a hypothesis got its verdict, with the numbers, in a sentence that a reader can repeat.

    In `brief`, other circuits are counted and not named.
    """
    tests = verdict.tests
    first = next((test for test in tests if test.name == verdict.broken), None)
    # The fit is told where it says more than the share does: that only the fit is not within its bound.
    plain = all(test.place == "inside" for test in tests if test.name != "pairwise_fit")
    told = [test for test in tests if test.name != "pairwise_fit" or (plain and test.place != "inside")]
    told = ([first] if first is not None else []) + [test for test in told if test is not first]
    parts = [tell_test(test, verdict) for test in told if test.undefined is None and math.isfinite(test.value)]
    if first is not None and first.name == "mediated_share" and first.overshoots:
        parts.insert(1, tell_overshoot(verdict.cancelling))
    minimality, rivals = verdict.minimality, verdict.rivals
    if verdict.broken == "minimal" and minimality is not None:
        parts.insert(0, f"the circuit is claimed to be minimal, and {tell_minimality(minimality)}")
    elif verdict.judges_minimal and minimality is not None:
        parts.append(tell_minimality(minimality))
    if verdict.broken == "unique" and verdict.subsets is not None:
        parts.insert(0, f"the circuit is claimed to be the only one, and {tell_subsets(verdict.subsets)}")
    elif verdict.judges_unique and verdict.subsets is not None:
        parts.append(tell_subsets(verdict.subsets))
    if rivals is not None and verdict.judges_special and verdict.status != "refuted":
        if verdict.status == "unspecific":
            parts.append("so the circuit is sufficient, but it is not the only one")
        if not any(test.undefined for test in tests):
            parts.append(tell_rivals(rivals, brief))
    missing = dict.fromkeys(test.undefined for test in tests if test.undefined is not None)
    without = [f"{note_words(why)}, so there is no effect to share out" for why in missing]
    parts = parts + without if verdict.status == "refuted" else without + parts
    if verdict.obstacle is not None:
        parts.append(note_words(verdict.obstacle))
    sentence = "; ".join(part for part in parts if part)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def tell_rivals(rivals: Rivals, brief: bool = False) -> str:
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
    if brief or not rivals.best:
        return words
    best = rivals.best[0]
    nearest = f"{name_circuit(best.circuit)} (relative error {_errors(best)} against {_errors(rivals.own)})"
    if not rivals.as_well:
        return f"{words}; the best of them is {nearest}"
    part = next((rival for rival in rivals.best if rival.is_part and _comes_near(rival, rivals)), None)
    if part is not None:
        return f"a part of it does as well: {name_circuit(part.circuit)}; {words}"
    return f"{words}, such as {nearest}"


def tell_minimality(minimality: Minimality, carries: bool = True) -> str:
    """Whether every member is needed, and which are not.

    Parameters
    ----------
    minimality : Minimality
    carries : bool
        Whether the circuit may meet its bounds: a part of one that does not is not called a circuit.
    """
    total = len(minimality.members)
    useless, undecided = minimality.of("useless"), minimality.of("undecided")
    if not useless and not undecided:
        return f"each of its {total} members is needed"
    parts = []
    if useless and minimality.without_useless is not None and minimality.without_useless > minimality.margin:
        parts.append(f"removable one at a time: {_list(useless)}; not together")
    elif useless:
        verb = "is" if len(useless) == 1 else "are"
        parts.append(f"{len(useless)} of its {total} members {verb} not needed: {_list(useless)}")
    if undecided:
        parts.append(f"not decided for {_list(undecided)}")
    if minimality.smallest and useless:
        inside = ", ".join(f"{{{name_circuit(circuit)}}}" for circuit in minimality.smallest[:_MOST_NAMED])
        more = len(minimality.smallest) - _MOST_NAMED
        what = "minimal circuits inside it" if carries else "smallest parts that do as well"
        parts.append(f"{what}: {inside}{f' and {more} more' if more > 0 else ''}")
    return "; ".join(parts)


def tell_subsets(subsets: Subsets) -> str:
    """Which circuits all sets of the sites' units hold, and whether the list is complete."""
    found = len(subsets.certified)
    named = ", ".join(f"{{{name_circuit(known.circuit)}}}" for known in subsets.certified[:_MOST_NAMED])
    more = f" and {found - _MOST_NAMED} more" if found > _MOST_NAMED else ""
    certified = "is certified as a minimal circuit" if found == 1 else "are certified as minimal circuits"
    words = f"{found} of {subsets.count} sets of units {certified}"
    words += f": {named}{more}" if found else ""
    if not subsets.possible:
        return f"{words} (the list is complete)"
    words += f" (certified {found}, possible {subsets.possible}"
    nearest = subsets.nearest
    if nearest is not None and nearest.share is not None:
        words += f"; nearest to the bound: {name_circuit(nearest.circuit)} with {_percent(nearest.share)}%"
    return f"{words})"


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
    """A circuit as a reader would write it; of one with many parts the first."""
    named = " + ".join(part.label for part in circuit[:_MOST_PARTS])
    more = len(circuit) - _MOST_PARTS
    return f"{named} and {more} more" if more > 0 else named


def _list(members: Sequence[Part]) -> str:
    named = ", ".join(member.label for member in members[:_MOST_NAMED])
    return named if len(members) <= _MOST_NAMED else f"{named} and {len(members) - _MOST_NAMED} more"


def _size(part: Part) -> int:
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


def tell_test(test: ClaimTest, verdict: Verdict) -> str:
    """What a test found, and what was asked; "on average" where that is not so in many pairs."""
    words, failing = _tell_bound(test, verdict.outcome), verdict.failing
    if test.name not in _MEANS or failing is None or not failing.is_common:
        return words
    return f"on average {words}; it fails in {_percent(failing.count / failing.n)}% of the pairs"


def tell_failing(failing: Failing) -> str:
    """In how many pairs a circuit fails."""
    return (
        f"{failing.count} of {failing.n} pairs fail ({_percent(failing.count / failing.n)}%, at most "
        f"{_percent(failing.upper)}% at {100 * failing.confidence:g}% confidence)"
    )


def _tell_bound(test: ClaimTest, outcome: str) -> str:
    value = _number(test.value, test.unit)
    between = ""
    if test.is_one_sided and test.upper is not None:
        at = f"at {100 * test.confidence:g}% confidence"
        # Of the two limits the one that the claim is about, or breaks.
        if test.place == "outside" and test.lower is not None:
            between = f" (at least {_number(test.lower, test.unit)} {at})"
        else:
            between = f" (at most {_number(test.upper, test.unit)} {at})"
    elif test.lower is not None and test.upper is not None:
        between = f" ({100 * test.confidence:g}% interval {_range(test.lower, test.upper, test.unit)})"
        low, high = round(100 * test.lower, 1), round(100 * test.upper, 1)
        if (
            test.unit == "share"
            and _wants_tenths(test.lower, test.upper)
            and not low <= round(100 * test.value) <= high
        ):
            # In fewer digits than its interval a number can lie outside it: 100 % in 99.5 to 99.7 %.
            value = f"{_fixed(100 * test.value, 1)}%"
    if test.name == "pairwise_fit":
        return f"pair by pair it accounts for {value} of the squared effect{between}, and such a share needs " + (
            f"at least {_number(test.at_least or 0.0, test.unit)}"
        )
    asked = _asked(test)
    quantity = QUANTITIES.find(test.name)
    if quantity is None:
        # Of a distribution that is not installed here.
        return f"{term_of(test.name).short} is {value}{between}, {asked}"
    return quantity.sentence(value, between, asked, outcome)


def _asked(test: ClaimTest) -> str:
    least, most = test.at_least, test.at_most
    # An upper end that is implied is told where it is at stake.
    if test.is_upper_implied and not test.overshoots:
        least, most = least or 0.0, None
    if least is not None and most is not None:
        return f"the claim asked for {_range(least, most, test.unit)}"
    if least is not None:
        return f"the claim asked for at least {_number(least, test.unit)}"
    return f"at most {_number(most or 0.0, test.unit)} was allowed"


def _number(value: float, unit: str) -> str:
    if unit == "share" and _SMALLEST <= abs(value) < _SMALL:
        return f"{_small(value)}%"
    return f"{_percent(value)}%" if unit == "share" else f"{_plain(value, unit)} {unit}"


def _range(lower: float, upper: float, unit: str) -> str:
    if unit == "share":
        if _SMALLEST <= max(abs(lower), abs(upper)) < _SMALL:
            return f"{_small(lower)} to {_small(upper)}%"
        if _wants_tenths(lower, upper):
            return f"{_fixed(100 * lower, 1)} to {_fixed(100 * upper, 1)}%"
        return f"{_percent(lower)} to {_percent(upper)}%"
    return f"{_plain(lower, unit)} to {_plain(upper, unit)} {unit}"


def _wants_tenths(lower: float, upper: float) -> bool:
    """Whether whole percent would not tell the ends of a range apart."""
    is_small = _SMALLEST <= max(abs(lower), abs(upper)) < _SMALL
    return not is_small and _percent(lower) == _percent(upper)


def _plain(value: float, unit: str) -> str:
    """A number; of an outcome's own unit, whose size nobody knows, three digits."""
    return _fixed(value, 2) if unit == "sd" else format_number(value)


def _percent(value: float) -> str:
    """A share as whole percent, with a decimal where rounding would hide which side of a whole number it is on."""
    percent = round(100 * value, 1)
    whole = abs(percent) >= 10 or abs(percent - round(percent)) < 0.05
    return _fixed(percent, 0 if whole else 1)


def _small(value: float) -> str:
    return f"{100 * value:.2g}"


def _fixed(value: float, digits: int) -> str:
    # Adding zero turns the minus zero that rounding may leave into zero.
    return f"{round(value, digits) + 0.0:.{digits}f}"
