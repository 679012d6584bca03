"""Interventions as pictures: pairs of inputs, their outputs, the patched output and the change."""

# ruff: noqa: RUF001, RUF002  a prime marks the counterfactual input

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from causalvae.plan.owner import Owner
from causalvae.report.blocks import Block, Heading, PairSet, PairView, Prose, Section
from causalvae.report.numbers import format_count, format_number, format_signed
from causalvae.results import FactorChange, Frame, FrameRole, PairChoice, PairPictures, Pictures, Results, ShownPair
from causalvae.spec.picture import LabelledDatum, OutputFacts, Picture, picture_of
from causalvae.spec.value_source import OTHER, VALUES

_LABELS: Final[dict[FrameRole, str]] = {
    "base": "x",
    "counterfactual": "x′",
    "decoded": "decoded x",
    "decoded_counterfactual": "decoded x′",
    "patched": "patched",
    "change": "change",
}
_TITLES: Final[dict[PairChoice, str]] = {
    "largest": "Largest effect",
    "typical": "Typical effect",
    "smallest": "Smallest effect",
}
_INPUTS: Final = {"base": "x", "counterfactual": "x′"}


def pair_section(results: Results, with_edges: bool = True) -> Section | None:
    """Pairs of every mediation, component and treatment, then of every declared edge; None where there are none.

    Those of claims are on the claims' cards. Those of edges are omitted where the panels of the graph hold them.
    """
    pictures = results.pictures
    if pictures is None:
        return None
    judged = {Owner.hypothesis(verdict.hypothesis) for verdict in results.verdicts}
    shown = [item for item in pictures.shown if judged.isdisjoint(item.owners)]
    blocks: list[Block] = [_pair_set(item, pictures.facts) for item in shown if not item.edge]
    if edges := [_pair_set(item, pictures.facts) for item in shown if with_edges and item.edge]:
        text = "The factor is changed and every other declared factor is held. Open an edge for its pairs."
        blocks += [Heading("Declared edges", text), *edges]
    if pictures.left_out:
        blocks.append(
            Prose(
                "Further pairs that are not shown because the page would become too large: "
                f"{format_count(pictures.left_out)}."
            )
        )
    if not blocks:
        return None
    return Section("pairs", "Interventions as pictures", _lead(pictures), tuple(blocks))


def edge_pairs(results: Results) -> Mapping[tuple[str, str], tuple[Block, ...]]:
    """The pairs of each declared edge, for the edge's own panel."""
    pictures = results.pictures
    if pictures is None:
        return {}
    found = {}
    for item in pictures.shown:
        if item.edge:
            parent, child = item.edge
            found[parent, child] = (_alone(item, pictures.facts, "Pairs with the largest and the smallest effect"),)
    return found


def claim_pairs(results: Results, hypothesis: str) -> tuple[Block, ...]:
    """The pairs of a claim's circuit, for the claim's own card."""
    pictures, owner = results.pictures, Owner.hypothesis(hypothesis)
    shown = () if pictures is None else pictures.shown
    return tuple(
        _alone(item, pictures.facts, "Pairs with the circuit patched", 4)
        for item in shown
        if pictures is not None and owner in item.owners
    )


def _lead(pictures: Pictures) -> str:
    lead = (
        "x and x′ are a pair of inputs, decoded x and decoded x′ what the network makes of them, patched its output "
        "with the intervention in place. Change is patched minus unpatched output; without a patch, decoded x′ minus "
        "decoded x."
    )
    return f"{lead} {picture_of(pictures.facts).change_words(pictures.facts)}".rstrip()


def _alone(item: PairPictures, facts: OutputFacts, title: str, level: int = 3) -> PairSet:
    """Pairs outside the section that explains them."""
    found = _pair_set(item, facts)
    text = f"{found.text} {picture_of(facts).change_words(facts)}".rstrip()
    return replace(found, title=title, text=text, level=level)


def pair_anchor(parent: str, child: str) -> str:
    """The id of the block with the pairs of a declared edge."""
    return f"pairs-{parent}-{child}"


def _pair_set(item: PairPictures, facts: OutputFacts) -> PairSet:
    title = " → ".join(item.edge) if item.edge else _names(item)
    kind = picture_of(facts)
    order = list(_TITLES)
    pairs = sorted(item.pairs, key=lambda pair: order.index(pair.choice))
    views = tuple(_view(item, pair, title, kind, facts) for pair in pairs)
    return PairSet(pair_anchor(*item.edge) if item.edge else "", title, _text(item), views)


def _names(item: PairPictures) -> str:
    return ", ".join(owner.name for owner in item.owners)


def _text(item: PairPictures) -> str:
    label = item.component.label
    cause = item.edge[0] if item.edge else "the patch" if label else ""
    effect = f"effect of {cause} on" if cause else "effect on"
    chosen = f"chosen among {format_count(item.n)} pairs of {item.treatment} by the {effect} {item.outcome}"
    if not label:
        return f"Pairs {chosen}."
    own, other = _INPUTS[item.side], _INPUTS[OTHER[item.side]]
    kind = VALUES.find(item.source)
    value = f"its value from {other}" if kind is not None and kind.is_exchanged else f"another value ({item.source})"
    return (
        f"{label} is given {value}, and the rest is computed from {own}; change is patched minus decoded {own}. "
        f"Pairs {chosen}."
    )


def _view(item: PairPictures, pair: ShownPair, title: str, kind: type[Picture], facts: OutputFacts) -> PairView:
    heading = _TITLES[pair.choice]
    changed = ", ".join(map(factor_words, pair.factors))
    shown = tuple(
        LabelledDatum(
            _label(frame),
            f"{title}, {heading.lower()}: {_LABELS[frame.role]}",
            frame.datum,
            frame.role == "change",
        )
        for frame in pair.frames
    )
    return PairView(heading, changed, _effect_words(item, pair), kind.draw(shown, facts))


def _label(frame: Frame) -> str:
    scale = frame.datum.scale
    return _LABELS[frame.role] if scale is None else f"{_LABELS[frame.role]} ±{format_number(scale, 2)}"


def factor_words(change: FactorChange) -> str:
    """A factor's change from x to x′, with as many digits as tell its values apart."""
    ends = (change.before, change.after)
    if all(isinstance(end, float) and end.is_integer() and abs(end) < 1e6 for end in ends):
        # Classes and levels, of which decimals say nothing.
        return f"{change.factor} {' → '.join(format_number(end, 1) for end in ends if isinstance(end, float))}"
    for digits in (3, 6, 12):
        before, after = (end if isinstance(end, str) else format_number(end, digits) for end in ends)
        if before != after:
            break
    return f"{change.factor} {before} → {after}"


def _effect_words(item: PairPictures, pair: ShownPair) -> str:
    parts = [f"x to x′ {format_signed(pair.total)}"]
    if pair.effect is not None:
        parts.append(f"patched {format_signed(pair.effect)}")
    unit = f" {item.unit}" if item.unit else ""
    return f"{item.outcome}: {', '.join(parts)}{unit}"


def pair_words(pairs: PairSet) -> Iterable[str]:
    """What formats without drawings say of pairs."""
    for view in pairs.views:
        changed = f", {view.changed}" if view.changed else ""
        yield f"{pairs.title}: {view.title.lower()}{changed}; {view.effect}."
