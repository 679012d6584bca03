"""Large sweeps as a reader meets them: what is listed, where the rest is, and what each layer does."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.effects.sweep_types import SweepSummary, UnitTally, tally_units
from causalvae.effects.types import UnitRole
from causalvae.plan.owner import Owner
from causalvae.report.effects_file import EFFECTS_FILE, UNITS_FILE
from causalvae.report.glossary import term_of
from causalvae.report.numbers import format_count, format_number
from causalvae.report.tables import Table, columns, unit_words

_MOST_ROWS = 200


def summary_of(sweeps: Sequence[SweepSummary], owner: Owner, direction: str) -> SweepSummary | None:
    """The summary of a sweep of which not all components are listed; None where all are."""
    return next((sweep for sweep in sweeps if (sweep.owner, sweep.direction) == (owner, direction)), None)


def tallies_of(units: Sequence[UnitRole], sweeps: Sequence[SweepSummary]) -> tuple[UnitTally, ...]:
    """How many units of a sweep are of each kind, those that are not listed too."""
    summary = summary_of(sweeps, units[0].owner, units[0].direction)
    return tally_units(units) if summary is None else summary.units


def listed_words(sweep: SweepSummary) -> str:
    """How many components are listed, and where all are."""
    return (
        f"{format_count(sweep.listed)} of {format_count(sweep.components)} components are listed: the strongest on "
        f"each outcome. {EFFECTS_FILE} and {UNITS_FILE} in the folder of the run have all."
    )


def layer_table(sweep: SweepSummary) -> Table:
    """What the components of each layer do, those that are not listed too."""
    rows = tuple(
        (
            layer.site,
            term_of(layer.estimand).short,
            layer.outcome,
            unit_words(layer.unit),
            format_count(layer.components),
            format_number(layer.mean),
            format_number(layer.largest),
            layer.strongest.label,
        )
        for layer in sweep.layers
    )
    more = len(rows) - _MOST_ROWS
    return Table(
        "All components, by layer",
        columns("Layer", "Effect", "Outcome", "Unit", "Components#", "Mean#", "Largest#", "Strongest component"),
        rows[:_MOST_ROWS],
        (f"{format_count(more)} more rows are in results.json.",) if more > 0 else (),
    )
