"""Interventions as pictures: pairs of inputs, their outputs, the patched output and the change."""

# ruff: noqa: RUF001, RUF002  a prime marks the counterfactual input

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from causalvae.report.blocks import Block, Heading, PairSet, PairView, Prose, Section
from causalvae.report.numbers import format_count, format_number, format_signed
from causalvae.results import FactorChange, FrameRole, PairChoice, PairPictures, Pictures, Results, ShownPair
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
    """Pairs of every circuit, component and treatment, then of every declared edge; None where there are none.

    Those of edges are left out where the panels of the graph hold them.
    """
    pictures = results.pictures
    if pictures is None or not pictures.shown:
        return None
    claims = {verdict.hypothesis: verdict.claim for verdict in results.verdicts}
    sets = [_pair_set(item, pictures.facts, claims) for item in pictures.shown]
    blocks: list[Block] = [item for item in sets if not item.anchor]
    if with_edges and (edges := [item for item in sets if item.anchor]):
        text = "The factor is changed and every other declared factor is held. Open an edge for its pairs."
        blocks += [Heading("Declared edges", text), *edges]
    if pictures.left_out:
        blocks.append(
            Prose(f"Further pairs that are not shown, so that the page stays small: {format_count(pictures.left_out)}.")
        )
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
            shown = replace(_pair_set(item, pictures.facts, {}), title="Pairs with the largest and the smallest effect")
            found[parent, child] = (shown,)
    return found


def _lead(pictures: Pictures) -> str:
    lead = (
        "x and x′ are a pair of inputs, decoded x and decoded x′ what the network makes of them, patched its output "
        "with the intervention in place. Change is patched minus unpatched output; without a patch, decoded x′ minus "
        "decoded x."
    )
    if any(frame.datum.scale is not None for item in pictures.shown for pair in item.pairs for frame in pair.frames):
        lead += " Orange is more, blue is less; the strongest colour is the largest change of the picture."
    return lead


def pair_anchor(parent: str, child: str) -> str:
    """The id of the block with the pairs of a declared edge."""
    return f"pairs-{parent}-{child}"


def _pair_set(item: PairPictures, facts: OutputFacts, claims: Mapping[str, str]) -> PairSet:
    title = _title(item, claims)
    kind = picture_of(facts)
    order = list(_TITLES)
    pairs = sorted(item.pairs, key=lambda pair: order.index(pair.choice))
    views = tuple(_view(item, pair, title, kind, facts) for pair in pairs)
    return PairSet(pair_anchor(*item.edge) if item.edge else "", title, _text(item), views)


def _title(item: PairPictures, claims: Mapping[str, str]) -> str:
    if item.edge:
        return " → ".join(item.edge)
    return next((claims[owner.name] for owner in item.owners if claims.get(owner.name)), _names(item))


def _names(item: PairPictures) -> str:
    return ", ".join(owner.name for owner in item.owners)


def _text(item: PairPictures) -> str:
    label = item.component.label
    chosen = f"chosen among {format_count(item.n)} pairs of {item.treatment} by the effect on {item.outcome}"
    if not label:
        return f"Pairs {chosen}."
    own, other = _INPUTS[item.side], _INPUTS[OTHER[item.side]]
    kind = VALUES.find(item.source)
    value = f"its value from {other}" if kind is not None and kind.is_exchanged else f"another value ({item.source})"
    where = "" if item.edge else f"{_names(item)}: "
    by = f"{chosen} of the change of the factor" if item.edge else chosen
    return f"{where}{label} is given {value}, and the rest is computed from {own}. Pairs {by}."


def _view(item: PairPictures, pair: ShownPair, title: str, kind: type[Picture], facts: OutputFacts) -> PairView:
    heading = _TITLES[pair.choice]
    changed = ", ".join(map(factor_words, pair.factors))
    shown = tuple(
        LabelledDatum(
            _LABELS[frame.role],
            f"{title}, {heading.lower()}: {_LABELS[frame.role]}",
            frame.datum,
            frame.role == "change",
        )
        for frame in pair.frames
    )
    return PairView(heading, changed, _effect_words(item, pair), kind.draw(shown, facts))


def factor_words(change: FactorChange) -> str:
    """A factor's change from x to x′."""
    before, after = (
        value if isinstance(value, str) else format_number(value) for value in (change.before, change.after)
    )
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
        yield f"{pairs.title}: {view.title.lower()}, {view.changed}; {view.effect}."
