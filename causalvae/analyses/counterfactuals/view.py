"""How counterfactuals by a mapping are shown."""

# ruff: noqa: RUF001  formulas are written with primes and minus signs

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from causalvae.analyses.counterfactuals.types import (
    LEAST,
    Counterfactuals,
    Distance,
    Distances,
    Example,
    FactorSoundness,
    Repetition,
    Status,
    Why,
)
from causalvae.report.analysis_view import AnalysisView
from causalvae.report.blocks import Block, Folded, Heading, Mark, Prose, Section, Strip, Strips
from causalvae.report.glossary import Term
from causalvae.report.numbers import ABSENT, format_count, format_interval, format_number, percent
from causalvae.report.tables import Table, columns

_STATUS: Final[dict[Status, str]] = {"sound": "✓ sound", "unsound": "✗ unsound", "undecided": "? undecided"}
_STATUS_MARKS: Final[dict[Status, Mark]] = {"sound": "✓", "unsound": "✗", "undecided": "?"}
_WHY: Final[dict[Why, str]] = {
    "unmapped": "no component is mapped to it",
    "no_attribute": "in the graph it has no effect on an attribute",
    "not_settable": "the data cannot set it",
    "few_samples": "the data can set it in too few samples",
}
_LEAD = (
    "The mapping as a generator of counterfactuals, f(x, A := a): the input x is encoded, the components mapped to the "
    "factor A take their values from another sample in which A = a, and the result is decoded. Differences are root "
    "mean squares in standard deviations of each attribute over the data. Effectiveness is judged. Composition, "
    "reversibility and commutativity show how far the network drifts, and are not judged: a code that mixes or loses "
    "factors can pass them."
)
_TERMS = (
    Term(
        "Effectiveness",
        "effectiveness",
        "rms of Y(f(x, A := a)) − Y(x′), x′ the data's counterfactual with A = a",
        "Whether the counterfactual has the attributes that it should have: those of the factor that is set, and all "
        "others (Monteiro et al. 2023).",
    ),
    Term(
        "Composition",
        "composition",
        "rms of Y(f(f(... f(x)))) − Y(x), nothing set",
        "The loss without setting a factor: of one reconstruction and of repeated reconstructions.",
    ),
    Term(
        "Reversibility",
        "reversibility",
        "rms of Y(f(f(x, A := a), A := A(x))) − Y(x)",
        "The loss when a factor is set and set back; compare it with the same number of reconstructions.",
    ),
    Term(
        "Commutativity",
        "commutativity",
        "rms of Y(f(f(x, A := a), B := b)) − Y(f(f(x, B := b), A := a))",
        "How much the order matters in which two factors are set.",
    ),
)


def view_counterfactuals(result: Counterfactuals) -> AnalysisView:
    """Tables, pictures of a few samples, and a sentence of the answer."""
    untested = _untested_words(result)
    answer = _answer(result)
    if not result.factors:
        section = Section("counterfactuals", "Counterfactuals", untested or answer, ())
        return AnalysisView((section,), answer, (answer,), mark="?")
    effectiveness = _effectiveness_table(result)
    blocks: list[Block] = [Prose(answer), effectiveness]
    blocks += [Prose(untested)] if untested else []
    blocks.append(Folded("Every attribute", _attribute_table(result)))
    blocks += [Heading("Samples", _EXAMPLES), *_examples(result.examples)]
    repeated = (
        f"On the first {result.repeated} samples. Compare a factor that is set and set back with the same number of "
        "reconstructions without setting it."
    )
    blocks += [Heading("Composition and reversibility", repeated), _repetition_table(result)]
    if result.commutativity:
        blocks += [Heading("Commutativity"), _commutativity_table(result)]
    terms = _TERMS if result.commutativity else _TERMS[:-1]
    section = Section("counterfactuals", "Counterfactuals", _LEAD, tuple(blocks))
    lines = (untested,) if untested else ()
    mark = _STATUS_MARKS[result.status or "undecided"]
    return AnalysisView((section,), answer, (_terminal_table(result), *lines), terms=terms, mark=mark)


_EXAMPLES = (
    "From left to right: the input x; the data's counterfactual x′; the mapping's, f(x, A := a); the factor set and "
    "set back, once and repeatedly."
)


def _answer(result: Counterfactuals) -> str:
    worst = result.worst
    if worst is None:
        return f"Counterfactuals by the mapping were not tested: {_listed(result)}."
    off = worst.worst
    alone = result.reconstruction(off.attribute)
    beside = "" if alone is None else f"; {_number(alone.value)} by the reconstruction alone"
    found = (
        f"setting {worst.factor} leaves {off.attribute} {format_number(off.value, 2)} sd from the data's "
        f"counterfactual (at most {result.bound:g}{beside})"
    )
    sound = sum(factor.status == "sound" for factor in result.factors)
    match result.status:
        case "unsound":
            return f"Counterfactuals by the mapping are unsound: {found}."
        case "sound":
            of = f"all {sound} tested factors" if sound > 1 else "the one tested factor"
            return f"Counterfactuals by the mapping are sound for {of}; at worst, {found}."
    return (
        f"Whether counterfactuals by the mapping are sound is undecided for {len(result.factors) - sound} of "
        f"{len(result.factors)} tested factors; at worst, {found}."
    )


def _untested_words(result: Counterfactuals) -> str:
    words = [f"Not tested: {_listed(result)}."] if result.untested else []
    words += [
        f"Not judged, and {found.factor} therefore not called sound: {', '.join(found.unjudged)} "
        f"(defined on fewer than {LEAST} samples)."
        for found in result.factors
        if found.unjudged
    ]
    return " ".join(words)


def _listed(result: Counterfactuals) -> str:
    reasons: dict[str, list[str]] = {}
    for item in result.untested:
        reasons.setdefault(_WHY[item.why], []).append(item.factor)
    return "; ".join(f"{', '.join(factors)} ({why})" for why, factors in reasons.items()) or "there are no factors"


def _effectiveness_table(result: Counterfactuals) -> Table:
    simultaneous = percent(result.confidence)
    return Table(
        f"Effectiveness: differences from the data's counterfactual (sd), sound up to {result.bound:g}",
        columns(
            "Factor", "Status", "Own attribute#", "Other attribute#", f"{result.unit}#", "Samples#", "Outside data#"
        ),
        tuple(
            (
                found.factor,
                _STATUS[found.status],
                _worst(found.own),
                _worst(found.others),
                _number(found.pixels),
                format_count(found.samples),
                percent(found.outside) if found.outside else ABSENT,
            )
            for found in result.factors
        ),
        (
            f"The worst attribute of each kind. The {simultaneous} intervals of a factor hold for all its attributes "
            "together; they take the standard deviations as given.",
            f"{result.unit} is shown and not judged.",
            *_unseen(result),
        ),
    ).filled


def _unseen(result: Counterfactuals) -> Iterator[str]:
    """What no sample may have shown of a sound factor."""
    samples = min((found.samples for found in result.factors if found.status == "sound"), default=None)
    if samples is not None:
        share = 1 - (1 - result.confidence) ** (1 / samples)
        yield (
            f"Sound factors may still fail, by any amount, for up to {share * 100:.2g} % of the inputs: with "
            f"probability {1 - result.confidence:.2g} none of these inputs is among {format_count(samples)} samples."
        )


def _terminal_table(result: Counterfactuals) -> Table:
    """The same in fewer columns."""
    rows: list[tuple[str, ...]] = []
    for found in result.factors:
        names = (found.factor, _STATUS[found.status])
        for kind, listed in (("own", found.own), ("other", found.others)):
            if listed:
                rows.append((*names, f"{kind}: {listed[0].attribute}", _interval(listed[0])))
                names = ("", "")
    return Table(
        f"Counterfactuals: differences from the data's (sd), sound up to {result.bound:g}",
        columns("Factor", "Status", "Worst attribute", "Difference#"),
        tuple(rows),
    )


def _attribute_table(result: Counterfactuals) -> Table:
    rows = [
        (
            found.factor,
            distance.attribute,
            kind,
            _interval(distance),
            ABSENT if (alone := result.reconstruction(distance.attribute)) is None else _interval(alone),
            format_count(distance.n),
        )
        for found in result.factors
        for kind, listed in (("own", found.own), ("other", found.others))
        for distance in listed
    ]
    return Table(
        "Effectiveness, attribute by attribute (sd)",
        columns("Factor", "Attribute", "Kind", "Difference [interval]#", "Reconstruction alone#", "Samples#"),
        tuple(rows),
    )


def _repetition_table(result: Counterfactuals) -> Table:
    rows: list[tuple[str, ...]] = [
        ("nothing", f"{item.cycles} ×", *_cells(item.distances), ABSENT) for item in result.composition
    ]
    rows += [_reversed(found, item) for found in result.factors for item in found.reversibility]
    return Table(
        "Differences from the input (sd), the worst attribute",
        columns("Set and set back", "Repeated#", "Worst attribute#", f"{result.unit}#", "Reconstructed equally often#"),
        tuple(rows),
    ).filled


def _reversed(found: FactorSoundness, item: Repetition) -> tuple[str, ...]:
    beside = item.reconstructed.worst if item.reconstructed is not None else None
    return (found.factor, f"{item.cycles} ×", *_cells(item.distances), ABSENT if beside is None else _named(beside))


def _commutativity_table(result: Counterfactuals) -> Table:
    return Table(
        "Differences between both orders (sd), the worst attribute",
        columns("Factors", "Worst attribute#", f"{result.unit}#"),
        tuple((f"{pair.first}, {pair.second}", *_cells(pair.distances)) for pair in result.commutativity),
    )


def _cells(distances: Distances) -> tuple[str, str]:
    worst = distances.worst
    return ABSENT if worst is None else _named(worst), _number(distances.pixels)


def _worst(listed: Sequence[Distance]) -> str:
    return _named(listed[0]) if listed else ABSENT


def _named(distance: Distance) -> str:
    return f"{distance.attribute} {_interval(distance)}"


def _number(value: float) -> str:
    # Rounding errors of float32 outputs need no digits.
    return "0" if value < _EXACT else format_number(value, 2)


def _interval(distance: Distance) -> str:
    if distance.upper < _EXACT:
        return "0"
    return format_interval(distance.value, distance.lower, distance.upper)


_EXACT: Final = 5e-5


def _examples(examples: Iterable[Example]) -> list[Block]:
    """Strips of pictures, or a table of numbers where outputs are no pictures."""
    listed = list(examples)
    if all(example.images for example in listed):
        strips = tuple(
            Strip(
                _setting(example), tuple(zip(map(_point, example.points, example.cycles), example.images, strict=True))
            )
            for example in listed
        )
        return [Strips(strips)]
    rows = [
        (_setting(example), attribute, *(format_number(values[attribute]) for values in example.attributes))
        for example in listed
        for attribute in example.attributes[0]
    ]
    points = [_point(point, cycles) for point, cycles in zip(listed[0].points, listed[0].cycles, strict=True)]
    table = Table("Attributes of samples", columns("Set", "Attribute", *(f"{point}#" for point in points)), tuple(rows))
    return [Folded("The attributes of a few samples", table)]


def _setting(example: Example) -> str:
    before, after = example.levels or (format_number(example.before), format_number(example.after))
    return f"{example.factor}: {before} → {after}"


def _point(point: str, cycles: int) -> str:
    if point == "back":
        return "back" if cycles == 1 else f"back {cycles} ×"
    return {"input": "x", "data": "x′", "output": "f(x, a)"}[point]
