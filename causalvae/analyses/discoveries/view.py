"""How found circuits are shown."""

from __future__ import annotations

from collections.abc import Iterator

from causalvae.analyses.discoveries.curve import CurvePoint
from causalvae.analyses.discoveries.drawing import draw_circuit, draw_curve
from causalvae.analyses.discoveries.findings import Discovered, Discovery, join_units
from causalvae.analyses.discoveries.motifs import Measured
from causalvae.analyses.discoveries.words import (
    SCORE_WORDS,
    alike_words,
    can_be_pasted,
    empty_words,
    headline,
    held_words,
    hypothesis_text,
    label,
    module_words,
    motif_words,
    past_words,
    section_words,
    stable_words,
)
from causalvae.circuits.types import Part
from causalvae.models.components import EdgeRef
from causalvae.report.analysis_view import AnalysisView
from causalvae.report.blocks import Block, Figure, FigureRow, Folded, Heading, Mark, Prose, Section
from causalvae.report.glossary import Term, status_words
from causalvae.report.numbers import ABSENT, format_count, format_fixed, format_interval, percent
from causalvae.report.tables import Table, columns
from causalvae.report.verdict_words import name_circuit, reason

_TERMS = (
    Term(
        "Share of a circuit",
        "f",
        "Σ NIE·TE / Σ TE²",
        "The part of the effect that remains while all candidates outside the circuit are held; 1 if all of it "
        "remains.",
    ),
    Term(
        "Relative error of a circuit",
        "D",
        "√(Σ (TE − NIE)² / Σ TE²)",  # noqa: RUF001
        "How far a circuit is from carrying the effect, pair by pair; 0 if it carries the whole effect in every pair.",
    ),
    Term(
        "Circuit-model distance",
        "CMD",
        "area between f and 1 over the share of candidates",
        "How far the best candidates are from carrying the effect, over all sizes of circuits; 0 is best.",
    ),
    Term(
        "Circuit performance ratio",
        "CPR",
        "area below f over the share of candidates",
        "How much the best candidates carry, over all sizes of circuits.",
    ),
    Term(
        "Normalised deviation faithfulness",
        "NDF",
        "1 − min(|(f(N) − f(C)) / (f(N) − f(∅))|, 1)",  # noqa: RUF001
        "f on a scale from no candidate (0) to all of them (1), where carrying too much counts as carrying too little.",
    ),
)
_ANSWERED = 3


def view_discoveries(result: Discovered) -> AnalysisView:
    """For each circuit its drawing and curve, tables of what it carries, and its claim."""
    blocks: list[Block] = []
    terminal: list[Table | str] = []
    for found in result.circuits:
        blocks += _blocks(found)
        terminal += _terminal(found)
    lead = (
        "The smallest circuits that were found to carry an effect. Each was chosen on some pairs and tested on "
        "others; a circuit alone is not an explanation, and other circuits may do as well."
    )
    answer = " ".join(headline(found) for found in result.circuits[:_ANSWERED])
    return AnalysisView(
        (Section("discoveries", "Circuits found", lead, tuple(blocks)),), answer, tuple(terminal), (), _TERMS,
        _mark(result),
    )  # fmt: skip


def _mark(result: Discovered) -> Mark:
    """Whether the circuits hold on the pairs that nothing was chosen on; one that was not found was not tested."""
    statuses = {"" if found.verdict is None else found.verdict.status for found in result.circuits}
    return "✗" if "refuted" in statuses else "✓" if statuses == {"supported"} else "?"


def _blocks(found: Discovery) -> list[Block]:
    verdict = found.verdict
    caption = (
        "Filled squares are members; lines are edges that are shown to carry the effect, thicker for a larger share."
    )
    blocks: list[Block] = [
        Heading(f"{found.name}: {found.treatment} → {found.outcome}", headline(found)),
        Figure(draw_circuit(found), caption, wide=True),
        Prose(held_words(found)),
        Prose(
            empty_words(found)
            if verdict is None
            else f"{status_words(verdict.status)} on the other pairs: {reason(verdict)}"
        ),
        Prose(" ".join(filter(None, (alike_words(found), stable_words(found), past_words(found))))),
        FigureRow(
            (Figure(draw_curve(found), f"Share that the best candidates carry, by {SCORE_WORDS[found.curve.score]}"),)
        ),
        curve_table(found),
    ]
    if found.motifs.found:
        blocks.append(motif_table(found))
    blocks += [
        Prose(module_words(found)),
        Folded("Members", member_table(found)),
        Folded("Searches", search_table(found)),
    ]
    if found.equivalents:
        blocks.append(Folded("Other minimal circuits", equivalent_table(found)))
    if found.motifs.edges and not found.edges:
        blocks.append(Folded("Edges", edge_table(found)))
    if can_be_pasted(found):
        blocks.append(Prose(f"To paste under {section_words(found)}: {hypothesis_text(found, in_one_line=True)}"))
    return blocks


def _terminal(found: Discovery) -> list[Table | str]:
    size = len(found.circuit)
    parts: list[Table | str] = [
        Table(
            f"{found.name}: circuit of {found.treatment} on {found.outcome}",
            columns("Edges" if found.edges else "Layer", "Members#", "Candidates#", "Circuit"),
            tuple(_layer_rows(found)),
        ),
        headline(found),
        f"Relative error {_interval(found.error)}. {past_words(found)}".rstrip(),
        alike_words(found),
        stable_words(found),
        "Curve: "
        + ", ".join(f"best {point.size} {format_fixed(point.share, 2)}" for point in _distinct(found))
        + f"; CMD {format_fixed(found.curve.cmd)}, CPR {format_fixed(found.curve.cpr)}.",
        *(f"{motif_words(found, motif)}" for motif in found.motifs.found),
        module_words(found) if size > 1 else "",
        empty_words(found),
    ]
    if found.verdict is not None:
        parts += [
            f"{status_words(found.verdict.status)}: {reason(found.verdict)}",
        ]
    if can_be_pasted(found):
        parts += [f"As an entry of {section_words(found)}:", hypothesis_text(found).rstrip()]
    return [part for part in parts if part]


def _distinct(found: Discovery) -> list[CurvePoint]:
    sizes = {point.size: point for point in found.curve.points}
    return list(sizes.values())


def _layer_rows(found: Discovery) -> Iterator[tuple[str, ...]]:
    """What is in the circuit, by site; of edges, by the sites that they join."""
    for layer in found.edges:
        name = f"{layer.source or 'input'} -> {layer.target or 'output'}"
        inside = ", ".join(_units(part) for part in found.circuit if part.site == name)
        yield name, str(layer.members), str(layer.candidates), inside or ABSENT
    for site in () if found.edges else found.sites:
        yield site.site, str(site.members), str(site.candidates), _in_site(found, site.site)


def _units(part: Part) -> str:
    """An edge by the units that it joins."""
    if not isinstance(part, EdgeRef):
        return part.label
    ends = ((part.source, "input"), (part.target, "output"))
    return " -> ".join(name if end is None else str((end.units or ("",))[0]) for end, name in ends)


def _in_site(found: Discovery, site: str) -> str:
    inside = tuple(ref for ref in found.circuit if ref.site == site)
    if any(ref.window for ref in inside):
        return ", ".join(part.label for part in join_units(inside))
    return ", ".join(str(unit) for ref in inside for unit in ref.units or ()) or ABSENT


def _interval(measured: Measured) -> str:
    return format_interval(measured.value, measured.lower, measured.upper)


def curve_table(found: Discovery) -> Table:
    """The curve on pairs that were not used in the search."""
    return Table(
        f"Curve by {SCORE_WORDS[found.curve.score]}",
        columns("Best#", "Candidates#", "Share [interval]#", "Relative error#", "NDF#"),
        tuple(
            (
                f"{100 * point.fraction:g} %",
                format_count(point.size),
                format_interval(point.share, point.lower, point.upper),
                format_fixed(point.error),
                format_fixed(point.ndf),
            )
            for point in found.curve.points
        ),
        (f"CMD {format_fixed(found.curve.cmd)}, CPR {format_fixed(found.curve.cpr)}.",),
    )


def motif_table(found: Discovery) -> Table:
    """One row a motif."""
    return Table(
        "Motifs",
        columns("Motif", "Members", "Shown by [interval]#"),
        tuple(
            (
                motif.kind,
                " → ".join(label(found, member) for member in motif.members)
                if motif.kind == "chain"
                else ", ".join(label(found, member) for member in motif.members),
                _interval(motif.shown),
            )
            for motif in found.motifs.found
        ),
        (
            "Shown: for pairs the interaction, for an inhibitory member the rise of f without it, otherwise the "
            f"weakest edge. A motif is listed if its interval exceeds {format_fixed(found.motifs.margin, 2)}, of an "
            f"edge {format_fixed(found.motifs.edge_margin, 3)}.",
        ),
    )


def member_table(found: Discovery) -> Table:
    """The members, and what each carries."""
    places = {ref: place for place, ref in enumerate(found.motif_members)}

    def shares(ref: Part) -> tuple[str, str]:
        place = places.get(ref)
        if place is None:
            return ABSENT, ABSENT
        return _interval(found.motifs.singles[place]), _interval(found.motifs.removals[place])

    return Table(
        "Members, and other candidates that some halves of the pairs found",
        columns("Component", "In the circuit", "Halves#", "Alone [interval]#", "Lost without [interval]#"),
        tuple(
            (
                member.component.label,
                "yes" if member.in_circuit else "no",
                ABSENT if member.found_in is None else percent(member.found_in),
                *shares(member.component),
            )
            for member in found.members
        ),
    )


def search_table(found: Discovery) -> Table:
    """What each order of the candidates led to."""
    return Table(
        "Searches on the pairs to search on",
        columns("Order", "Members#", "Share#", "Relative error#"),
        tuple(
            (SCORE_WORDS[row.score], format_count(row.size), format_fixed(row.share), format_fixed(row.error))
            for row in found.searches
        ),
    )


def equivalent_table(found: Discovery) -> Table:
    """Other minimal circuits, on the pairs that they were not found on."""
    return Table(
        "Other minimal circuits",
        columns("Circuit", "Members#", "Share [interval]#", "Relative error#"),
        tuple(
            (
                name_circuit(other.circuit),
                format_count(len(other.circuit)),
                _interval(other.share),
                format_fixed(other.error),
            )
            for other in found.equivalents
        ),
    )


def edge_table(found: Discovery) -> Table:
    """What members send to one another."""
    return Table(
        "Edges between members",
        columns("From", "To", "Share [interval]#", "Shown"),
        tuple(
            (
                label(found, edge.source),
                label(found, edge.target),
                _interval(edge.share),
                "yes" if edge.is_shown else "no",
            )
            for edge in found.motifs.edges
        ),
    )
