"""Lays a run's results out as a report: which sections, in which order, with which words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import replace

from markupsafe import Markup

from causalvae.circuits.types import Verdict
from causalvae.readouts.types import ReadoutCheck
from causalvae.report import effect_tables, glossary, tables
from causalvae.report.alignment_findings import finding_sentences
from causalvae.report.alignment_tables import (
    graph_table,
    interchange_table,
    pair_table,
    support_words,
)
from causalvae.report.alignment_words import headline_sentences
from causalvae.report.analysis_view import AnalysisView, level_views, views_in
from causalvae.report.anchors import Anchors
from causalvae.report.blocks import (
    Answer,
    Block,
    Document,
    Figure,
    FigureRow,
    Folded,
    GraphText,
    Heading,
    OpenedDrawing,
    Prose,
    Section,
    TestView,
    VerdictCard,
)
from causalvae.report.charts import draw_interval, draw_pairs
from causalvae.report.circuit_findings import circuit_findings
from causalvae.report.component_map import component_map
from causalvae.report.edge_panels import edge_panel
from causalvae.report.effect_grids import Grid, build_grids
from causalvae.report.first_screen import first_screen, verdict_anchor
from causalvae.report.glossary import Term, status_words, term_of
from causalvae.report.graph_svg import (
    declared_edges,
    draw_graph,
    draw_key,
    draw_state_key,
    edge_spots,
    recovered_edges,
    shared_layout,
)
from causalvae.report.heatmap import draw_block, draw_legend, draw_rows
from causalvae.report.independence_tables import independence_table, independence_words
from causalvae.report.interval_words import interval_term
from causalvae.report.layer_drawing import draw_layers
from causalvae.report.metric_tables import (
    group_metrics,
    group_roles,
    metric_table,
    role_heading,
    role_table,
    role_words,
)
from causalvae.report.notes import notes_words
from causalvae.report.numbers import (
    ABSENT,
    format_bound,
    format_count,
    format_interval,
    format_p,
)
from causalvae.report.pair_section import claim_pairs, edge_pairs, pair_section
from causalvae.report.sample_tables import sample_section
from causalvae.report.screen_tables import compared_table, first_order_table, screen_words, strongest_left_out
from causalvae.report.subspace_tables import subspace_terms
from causalvae.report.sweep_words import layer_table, listed_words, summary_of, tallies_of
from causalvae.report.tables import Table, columns
from causalvae.report.traversal_section import traversal_section
from causalvae.report.verdict_words import reason
from causalvae.results import ControlCheck, Results
from causalvae.spec.quantity import QUANTITIES

_FEW_ROWS, _FEW_NOTES = 24, 2


def build_document(results: Results) -> Document:
    """Lay out everything that `results` holds; parts that it lacks are omitted."""
    views = (*views_in(results), *level_views(results))
    makers = (
        _graph_section,
        _pair_section,
        traversal_section,
        _sweep_section,
        _screen_section,
        _perturbation_section,
        _metric_section,
    )
    further = (
        _alignment_section,
        _trust_section,
        _latent_section,
        sample_section,
        _provenance_section,
    )
    before, after = ([maker(results) for maker in some] for some in (makers, further))
    made = (*before, *(section for view in views for section in view.sections), *after)
    sections = tuple(section for section in made if section is not None)
    cards = tuple(_card(results, position, verdict) for position, verdict in enumerate(results.verdicts))
    there = {section.anchor for section in sections} | {card.anchor for card in cards} | {"verdicts"}
    return Document(results, _linked(first_screen(results, views), there), cards, sections, _used_terms(results, views))


def _pair_section(results: Results) -> Section | None:
    return pair_section(results, with_edges=results.alignment is None)


def _linked(answer: Answer, anchors: Container[str]) -> Answer:
    """`answer` without links to sections that a run does not have."""
    found, certain = (
        tuple(line if line.anchor in anchors else replace(line, anchor="") for line in lines)
        for lines in (answer.found, answer.certain)
    )
    return Answer(found, certain)


def _card(results: Results, position: int, verdict: Verdict) -> VerdictCard:
    tests = tuple(
        TestView(
            name=term_of(test.name).title,
            bound=format_bound(test.at_least, test.at_most),
            estimate=format_interval(test.value, test.lower, test.upper),
            p_support=format_p(test.p_support),
            p_refute=format_p(test.p_refute),
            pairs=format_count(test.n),
            needed=format_count(test.needed) if test.needed else "",
            note=notes_words(test.notes),
            drawing=draw_interval(test),
        )
        for test in verdict.tests
    )
    return VerdictCard(
        anchor=verdict_anchor(position),
        verdict=verdict,
        claim=verdict.words,
        words=status_words(verdict.status),
        reason=reason(verdict),
        circuit=", ".join(part.label for part in verdict.circuit) or ABSENT,
        outcome=results.graph.outcome_words(verdict.outcome),
        tests=tests,
        p_support=format_p(verdict.p_support),
        p_refute=format_p(verdict.p_refute),
        alpha=f"{verdict.alpha:g}",
        needed=format_count(verdict.needed) if verdict.needed else "",
        findings=circuit_findings(verdict),
        pictures=_pictures(results, verdict),
    )


def _pictures(results: Results, verdict: Verdict) -> tuple[Block, ...]:
    """The circuit on the network's layers, its effect pair by pair, and pairs with it patched."""
    outcome, failing = results.graph.outcome_words(verdict.outcome), verdict.failing
    layers = draw_layers(results.layers, verdict.circuit, verdict.treatment, outcome)
    pairs = None if failing is None else draw_pairs(failing, outcome)
    figures = [] if layers is None else [Figure(layers, "The circuit on the network's layers.", wide=True)]
    if pairs is not None:
        told = (
            "Each point is a pair: its total effect and the effect through the circuit alone. On the line the two are "
            "equal; crosses are failing pairs."
        )
        figures.append(Figure(pairs, told))
    row = (FigureRow(tuple(figures), kind="pictures"),) if figures else ()
    return (*row, *claim_pairs(results, verdict.hypothesis))


def _graph_section(results: Results) -> Section | None:
    graph, alignment = results.graph, results.alignment
    if not graph.edges:
        # Unconnected boxes say nothing.
        return None
    edges = declared_edges(graph) if alignment is None else recovered_edges(graph, alignment)
    layout, taken = shared_layout(graph, alignment), Anchors()
    checks = {} if alignment is None else {(check.source, check.target): check for check in alignment.pairs}
    anchors = {
        (edge.source, edge.target): taken.take("edge", edge.source, edge.target)
        for edge in edges
        if (edge.source, edge.target) in checks
    }
    counts = Counter(edge.style for edge in edges)
    told = ", ".join(f"{count} {style}" for style, count in counts.items())
    label = f"The declared graph, {len(graph.edges)} edges, with the results of interventions: {told}"
    caption = "Under a factor: the components that it is mapped to."
    legend: tuple[tuple[Markup, str], ...] = ()
    if alignment is not None:
        caption += " Select an edge for its tests and intervals."
        words = {
            "supported": "supported: declared and present",
            "missing": "missing: declared, and lost by data, network or mapping",
            "spurious": "spurious: not declared, or invented by network or mapping",
            "undecided": "undecided: shown neither present nor absent",
            "untested": "untested: declared, but tested by no intervention",
        }
        legend = tuple((draw_key(style), text) for style, text in words.items() if counts[style])
        marks = "marks, left to right: data, network, mapping (✓ right, ✗ wrong, ? undecided, – not tested)"  # noqa: RUF001
        legend = (*legend, (draw_state_key(), marks))
    pairs = edge_pairs(results)
    panels = tuple(
        edge_panel(checks[pair], alignment, anchor, pairs) for pair, anchor in anchors.items() if alignment is not None
    )
    drawn = OpenedDrawing(
        draw_graph(graph, edges, layout, label, anchors), caption, edge_spots(edges, layout, anchors), panels, legend
    )
    return Section(
        "graph",
        "The declared graph and its tests",
        "Factors are on the left, attributes of the decoded output on the right. An arrow means that a change of the "
        "factor changes the attribute.",
        (drawn, GraphText(), *map(Prose, _vector_words(results))),
    )


def _vector_words(results: Results) -> list[str]:
    """Which attributes are one outcome together, where any are."""
    graph = results.graph
    named = "; ".join(map(graph.outcome_words, graph.vectors))
    return [f"Outcomes of several attributes: {named}."] if named else []


_DIRECTIONS = {
    "denoising": "Denoising: the base input is run with one component's counterfactual value; "
    "the shade shows how far this alone moves the output.",
    "noising": "Noising: the counterfactual input is run with one component held at its base value; "
    "the shade shows how much of the change is lost.",
    "base": "The base input is run with one component ablated; the shade shows how far this moves the output.",
    "counterfactual": "The counterfactual input is run with one component ablated; the shade shows how far this "
    "moves the output.",
}


def _sweep_section(results: Results) -> Section | None:
    grids = [grid for grid in build_grids(results.estimates) if grid.treatment and grid.attributes]
    inputs = effect_tables.input_table(results.estimates)
    if not grids and not inputs.rows:
        return None
    blocks: list[Block] = [inputs.filled] if inputs.rows else []
    anchors = Anchors()
    for grid in grids:
        direction = f", {grid.direction}" if grid.direction else ""
        text = _DIRECTIONS.get(grid.direction, "")
        if grid.source and grid.direction in ("base", "counterfactual"):
            text += f" Source of the value: {grid.source}."
        blocks.append(Heading(f"{grid.owner.name}: patching under {grid.treatment}{direction}", text.strip()))
        blocks += _grid_blocks(grid, results, anchors)
    return Section(
        "effects",
        "Effects of inputs and components",
        "How far an intervention moves each attribute of the decoded output, as a root mean square over pairs in "
        "standard deviations (sd) of that attribute over the data: 0 means no effect, 1 an effect as large as the "
        "variation in the data.",
        tuple(blocks),
    )


def _grid_blocks(grid: Grid, results: Results, anchors: Anchors) -> list[Block]:
    """A map of the components; of many, an overview of all of them before it."""
    sweep = summary_of(results.sweeps, grid.owner, grid.direction)
    blocks: list[Block] = [] if sweep is None else [Prose(listed_words(sweep)), layer_table(sweep)]
    blocks += [
        Figure(
            draw_legend(grid),
            "Effect size in sd; the shade grows with its square root. Select a component for its intervals.",
        )
    ]
    shown = component_map(grid, results, anchors)
    opened = {panel.title: panel.anchor for panel in shown.panels if panel is not None}
    if len(grid.rows) > _FEW_ROWS:
        figures = [
            Figure(draw_block(block, grid, opened), f"{block.site} ({len(block.rows)} components)")
            for block in grid.blocks
            if block.indexed or len(block.rows) > 1
        ]
        single = tuple(row for block in grid.blocks if not block.indexed and len(block.rows) == 1 for row in block.rows)
        if figures:
            blocks.append(FigureRow(tuple(figures), kind="blocks"))
        if single:
            blocks.append(Figure(draw_rows(single, grid, f"Effect sizes of {len(single)} components"), "", True))
    blocks.append(shown)
    beside = effect_tables.beside_table(grid, _FEW_ROWS)
    if beside.rows:
        blocks.append(Folded(f"{beside.caption} of the same components", beside))
    return blocks


def _screen_section(results: Results) -> Section | None:
    if not results.screens:
        return None
    blocks: list[Block] = []
    for screen in results.screens:
        direction = f", {screen.direction}" if screen.direction else ""
        blocks.append(Heading(f"{screen.owner.name}{direction}", screen_words(screen)))
        compared, left = compared_table(screen), first_order_table(screen)
        blocks.append(Folded(f"{compared.caption} ({len(compared.rows)})", compared))
        if left.rows:
            blocks.append(strongest_left_out(screen))
        if len(left.rows) > _FEW_ROWS:
            blocks.append(Folded(f"{left.caption} ({len(left.rows)})", left))
    return Section(
        "screens",
        "First-order screening",
        "In a screened sweep only the components with the largest first-order effects were run, and a random sample "
        "of the others, to estimate what the screen misses. The section before has the exact effects of these "
        "components. All other components have only the first-order effect that is listed here.",
        tuple(blocks),
    )


def _perturbation_section(results: Results) -> Section | None:
    grids = [grid for grid in build_grids(results.estimates) if not grid.treatment and grid.attributes]
    if not grids:
        return None
    blocks: list[Block] = []
    anchors = Anchors()
    for grid in grids:
        how = f" (values: {grid.source})" if grid.source else ""
        blocks += [Heading(f"{grid.owner.name}{how}"), *_grid_blocks(grid, results, anchors)]
    return Section(
        "perturbations",
        "Latent perturbations",
        "A part of the latent is set to other values; everything downstream is computed again, and the rest is held. "
        "A latent that carries one factor moves the attributes of that factor and no others.",
        tuple(blocks),
    )


def _metric_section(results: Results) -> Section | None:
    if not results.metrics and not results.units:
        return None
    blocks: list[Block] = [
        Folded(table.caption, table) for rows in group_metrics(results.metrics) if (table := metric_table(rows).filled)
    ]
    for roles in group_roles(results.units):
        table = role_table(roles)
        blocks.append(Heading(role_heading(roles[0]), role_words(roles, tallies_of(roles, results.sweeps))))
        blocks.append(Folded(f"The units one by one ({len(table.rows)})", table))
    return Section(
        "metrics",
        "Metrics",
        "The named metrics: means and medians over latents. The oracle is the value for a code whose latents are the "
        "factors of the data; random is this network with random weights. Only a difference from the random network "
        "is evidence about the training.",
        tuple(blocks),
    )


def _alignment_section(results: Results) -> Section | None:
    alignment = results.alignment
    if alignment is None:
        return None
    blocks: list[Block] = [Prose(f"{item.mark} {item.text}") for item in headline_sentences(alignment)]
    every, short = pair_table(alignment), pair_table(alignment, every=False)
    # The panels of the graph hold the tests of these.
    if len(every.rows) > len(short.rows) > 0:
        blocks.append(Folded(f"{short.caption} ({len(short.rows)})", short))
    if every.rows:
        blocks.append(Folded(f"{every.caption} ({len(every.rows)})", every))
    if alignment.interchanges:
        blocks.append(interchange_table(alignment))
    if words := support_words(alignment):
        blocks.append(Prose(words))
    if alignment.independencies:
        table = independence_table(alignment)
        blocks += map(Prose, independence_words(alignment))
        blocks.append(Folded(f"{table.caption} ({len(table.rows)})", table) if len(table.rows) > 12 else table)
    if alignment.graphs:
        blocks.append(graph_table(alignment))
    blocks += map(Prose, finding_sentences(alignment))
    if len(alignment.notes) > _FEW_NOTES:
        notes = Table("Notes", columns("Note"), tuple((note,) for note in alignment.notes))
        blocks.append(Folded(f"Notes ({len(alignment.notes)})", notes))
    else:
        blocks += map(Prose, alignment.notes)
    return Section(
        "alignment",
        "Agreement of graph, data, network and mapping",
        "For every pair of a declared factor and another node, the factor is set and all other declared factors are "
        "held. The graph is compared with the data, the network's outputs with the data, and what the mapped "
        f"components do with what the network does. p-values are corrected ({alignment.correction}) at alpha "
        f"{alignment.alpha:g}.",
        tuple(blocks),
    )


def _trust_section(results: Results) -> Section | None:
    blocks: list[Block] = []
    pairs: tuple[tuple[Sequence[ReadoutCheck | ControlCheck], Table], ...] = (
        (results.readouts, tables.readout_table(results).filled),
        (results.controls, tables.control_table(results).filled),
    )
    for checks, table in pairs:
        failed = [place for place, check in enumerate(checks) if not check.passed]
        if failed:
            caption = f"{table.caption} that failed"
            blocks.append(replace(table, caption=caption, rows=tuple(table.rows[place] for place in failed)))
        if checks:
            told = f"{len(checks) - len(failed)} of {len(checks)} passed"
            blocks.append(Folded(f"{table.caption} ({told})", table))
    if not blocks:
        return None
    return Section(
        "checks",
        "Checks of the results",
        "Readouts are compared with the true factor values of real inputs. Controls check results that are known in "
        "advance (patching a value with itself changes nothing), and repeat the claims in networks that learned "
        "nothing.",
        tuple(blocks),
    )


def _latent_section(results: Results) -> Section | None:
    if not results.latents:
        return None
    return Section(
        "latents",
        "Latents",
        "The information of each latent about the input, the spread of its mean over the data, and the factor that "
        "the spec maps to it.",
        (tables.latent_table(results),),
    )


def _provenance_section(results: Results) -> Section | None:
    blocks: list[Block] = []
    for caption, facts in (("Model", results.model), ("Data", results.data), ("Execution", results.execution)):
        if facts:
            blocks.append(Folded(caption, tables.facts_table(caption, facts)))
    if results.costs:
        costs = tables.cost_table(results.costs)
        blocks.append(Folded(costs.caption, costs))
    if results.manifest:
        manifest = tables.facts_table("Manifest: versions, digests, seeds, timings", results.manifest)
        blocks.append(Folded(manifest.caption, manifest))
    blocks.append(
        Prose(
            "To run it again: causalvae run SPEC, with the spec file that it was made from (spec.yaml in the same "
            "folder is the same spec with every default written out). With the same spec, weights, seeds and versions "
            "the numbers are the same. results.json in the same folder contains every number unrounded; causalvae "
            "report FOLDER writes the report again from it."
        )
    )
    return Section("provenance", "Provenance", "What was run, with which versions, digests and seeds.", tuple(blocks))


def _used_terms(results: Results, views: tuple[AnalysisView, ...]) -> tuple[Term, ...]:
    """The terms that this report uses, in the glossary's order."""
    used = {estimate.estimand for estimate in results.estimates}
    used |= {test.name for verdict in results.verdicts for test in verdict.tests}
    used |= {row.metric for row in results.metrics}
    if any(verdict.rivals is not None and verdict.rivals.own is not None for verdict in results.verdicts):
        used.add("special")
    if any(verdict.minimality is not None for verdict in results.verdicts):
        used.add("minimal")
    terms = [glossary.VERDICT, glossary.SUPPORT] if results.verdicts else []
    quantities = [kind for name in QUANTITIES.names if name in used and (kind := QUANTITIES.find(name)) is not None]
    # Effects before the shares that are made of them.
    terms += [glossary.term_of(kind.kind) for kind in quantities if not kind.of_circuit]
    terms += [term for name, term in glossary.TERMS.items() if name in used]
    terms += [glossary.term_of(kind.kind) for kind in quantities if kind.of_circuit]
    terms.append(interval_term(results.estimates))
    if any(estimate.estimator == "dowhy" for estimate in results.estimates):
        terms.append(glossary.DOWHY)
    if results.arrows:
        terms += [glossary.CAUSAL_MODEL, glossary.ARROW]
    if any(check.method == "observational" for check in results.cross_checks):
        terms.append(glossary.OBSERVATIONAL)
    if results.alignment is not None:
        terms += [glossary.EDGE, glossary.INTERCHANGE, glossary.FISHER]
    if results.graph.vectors:
        terms.append(glossary.VECTOR)
    if results.latents:
        terms.append(glossary.KL)
    terms += subspace_terms(results)
    terms += [term for view in views for term in view.terms]
    if results.screens:
        terms += [glossary.FIRST_ORDER, glossary.SCREEN_RECALL]
    return tuple(terms)
