"""A run's results in a terminal: verdicts, key effects, agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from causalvae.cli.console import clean, print_table, style_of
from causalvae.plan.targets import NOTHING, Target

if TYPE_CHECKING:
    from rich.console import Console

    from causalvae.effects.types import Estimate
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.report.tables import Table
    from causalvae.results import Results

KEY_EFFECTS = (
    "total_effect",
    "natural_direct_effect",
    "effect_around_path",
    "natural_indirect_effect",
    "path_specific_effect",
    "interaction",
    "mediated_share",
    "path_share",
)


def print_results(console: Console, results: Results) -> None:
    """Print the answer, warnings, verdicts, key effects and agreement."""
    console.print()
    console.print(Text(clean(results.name), style="bold"))
    console.print(clean(results.question))
    console.print(Text(clean(results.answer), style="bold"))
    for warning in results.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), clean(warning)))
    print_verdicts(console, results)
    for table in key_effects(results):
        print_table(console, table)
    print_subspaces(console, results)
    print_metrics(console, results)
    print_analyses(console, results)
    print_screens(console, results)
    print_agreement(console, results)


def print_subspaces(console: Console, results: Results) -> None:
    """Print effects of learned directions and of the other parts, and how they were learned."""
    from dataclasses import replace

    from causalvae.report.subspace_tables import learning_words, parts_table, subspace_owners

    for owner in subspace_owners(results.estimates):
        print_table(console, replace(parts_table(results.estimates, owner, with_necessity=False).filled, notes=()))
        words = clean(learning_words(results.estimates, owner))
        line = Text.assemble((clean(owner.name), "bold"), f": {words}")
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def print_metrics(console: Console, results: Results) -> None:
    """Print metrics of latent perturbations with baselines, and numbers of units of each kind."""
    from dataclasses import replace

    from causalvae.report.metric_tables import group_metrics, group_roles, metric_table, role_words
    from causalvae.report.sweep_words import tallies_of

    for rows in group_metrics(results.metrics):
        table = metric_table(rows).filled
        print_table(console, replace(table, notes=tuple(note for note in table.notes if "not measured" in note)))
    for roles in group_roles(results.units):
        line = Text.assemble(
            (clean(roles[0].owner.name), "bold"), f": {clean(role_words(roles, tallies_of(roles, results.sweeps)))}"
        )
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def print_analyses(console: Console, results: Results) -> None:
    """What analyses and levels of interventions show in addition to the tables that all runs have."""
    from causalvae.report.analysis_view import level_views, views_in

    for view in (*views_in(results), *level_views(results)):
        print_view(console, view)


def print_view(console: Console, view: AnalysisView) -> None:
    """What one analysis found."""
    for part in view.terminal:
        if isinstance(part, str):
            console.print(Padding(Text(clean(part)), (0, 0, 0, 2), expand=False))
        else:
            print_table(console, part)


def print_screens(console: Console, results: Results) -> None:
    """Print the screened sweeps and their recall."""
    from causalvae.report.screen_tables import recall_words, summary_table

    if not results.screens:
        return
    print_table(console, summary_table(results.screens))
    for screen in results.screens:
        line = Text.assemble((clean(screen.owner.name), "bold"), f": {clean(recall_words(screen))}")
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def print_verdicts(console: Console, results: Results) -> None:
    """The table of hypotheses, and under it why each came out as it did."""
    from causalvae.report.circuit_findings import circuit_findings
    from causalvae.report.glossary import status_words
    from causalvae.report.tables import verdict_table
    from causalvae.report.verdict_words import reason

    if not results.verdicts:
        return
    print_table(console, verdict_table(results.verdicts).filled)
    for verdict in results.verdicts:
        words = status_words(verdict.status)
        line = Text.assemble((words[:1], style_of(words)), " ", (clean(verdict.hypothesis), "bold"))
        line.append(f": {clean(reason(verdict))}")
        console.print(Padding(line, (0, 0, 0, 2), expand=False))
        for finding in circuit_findings(verdict):
            if not finding.brief:
                continue
            line = Text.assemble((clean(finding.title), "bold"), f": {clean(finding.brief)}")
            console.print(Padding(line, (0, 0, 0, 4), expand=False))


def key_effects(results: Results) -> list[Table]:
    """The main effects of each mediation through all mediators; those of input manipulations if there is none."""
    from causalvae.report.effect_tables import SENT, input_tables
    from causalvae.report.glossary import term_of
    from causalvae.report.numbers import format_interval, format_p
    from causalvae.report.tables import Table, columns, unit_words

    exact = [e for e in results.estimates if e.estimator == "exact"]
    owners = dict.fromkeys(e.owner for e in exact if e.estimand in SENT)
    tables = []
    for owner in owners:
        mine = [e for e in exact if e.owner == owner and e.estimand in KEY_EFFECTS]
        joint = next((e.component for e in mine if e.component), NOTHING)
        outcomes = dict.fromkeys(e.outcome for e in mine)
        rows = [
            (
                e.outcome,
                term_of(e.estimand).short,
                format_interval(e.value, e.lower, e.upper),
                unit_words(e.unit),
                format_p(e.p_value),
            )
            for outcome in outcomes
            for estimand in KEY_EFFECTS
            for e in _of(mine, outcome, estimand, joint)
        ]
        treatment = next((e.treatment for e in mine if e.treatment), "the treatment")
        tables.append(
            Table(
                f"{owner.name}: effects of {treatment} through {joint}",
                columns("Outcome", "Effect", "Estimate [interval]#", "Unit", "p#"),
                tuple(rows),
                tuple(
                    f"{results.graph.outcome_words(outcome)}: along the total change"
                    for outcome in outcomes
                    if outcome in results.graph.vectors
                ),
            )
        )
    if not tables:
        tables = input_tables(results.estimates)
    return tables


def _of(estimates: list[Estimate], outcome: str, estimand: str, joint: Target) -> list[Estimate]:
    return [e for e in estimates if e.outcome == outcome and e.estimand == estimand and e.component in (NOTHING, joint)]


def print_agreement(console: Console, results: Results) -> None:
    """How graph, data, network and mapping agree, pair by pair; the answer has it in a sentence."""
    from causalvae.report.alignment_findings import finding_sentences
    from causalvae.report.alignment_tables import compact_table, graph_table, support_words
    from causalvae.report.independence_tables import independence_words

    alignment = results.alignment
    if alignment is None:
        return
    table = compact_table(alignment)
    if table.rows:
        print_table(console, table)
    if alignment.graphs:
        print_table(console, graph_table(alignment))
    for words in filter(
        None, (support_words(alignment), *independence_words(alignment), *finding_sentences(alignment))
    ):
        console.print(Padding(Text(clean(words)), (0, 0, 0, 2), expand=False))
