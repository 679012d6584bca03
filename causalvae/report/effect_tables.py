"""Estimates as tables: mediations, input manipulations, the components of a sweep, and whatever is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from causalvae.effects.notes import Note
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING
from causalvae.report.effect_grids import EFFECT, Grid, in_grid, strongest_rows
from causalvae.report.glossary import term_of
from causalvae.report.metric_tables import WHOLE
from causalvae.report.notes import note_words, notes_words
from causalvae.report.numbers import ABSENT, format_count, format_interval, format_number, format_p
from causalvae.report.subspace_tables import in_subspace_table
from causalvae.report.tables import Column, Table, columns, unit_words
from causalvae.results import GraphSummary

MEDIATION = (
    "total_effect",
    "natural_direct_effect",
    "effect_around_path",
    "controlled_direct_effect",
    "natural_indirect_effect",
    "path_specific_effect",
    "total_indirect_effect",
    "total_path_specific_effect",
    "interaction",
    "mediated_share",
    "path_share",
    "necessity",
    "path_necessity",
    "mediated_share_ratio_of_means",
    "path_share_ratio_of_means",
    "mediated_share_mean_of_ratios",
    "path_share_mean_of_ratios",
    "necessity_ratio_of_means",
    "path_necessity_ratio_of_means",
    "necessity_mean_of_ratios",
    "path_necessity_mean_of_ratios",
    "indirect_effect_turned_away",
    "path_effect_turned_away",
)
# What tells the estimates of a mediation, at mediators or along a path, from others.
SENT = ("natural_indirect_effect", "path_specific_effect")
_STRONGEST = 12
_SHARED = 3


def mediation_tables(estimates: Sequence[Estimate], graph: GraphSummary) -> list[Table]:
    """For each mediation and outcome: every effect, through each set of mediators, DoWhy's value next to it."""
    owners = dict.fromkeys(estimate.owner for estimate in estimates if estimate.estimand in SENT)
    tables: list[Table] = []
    for owner in owners:
        mine = [e for e in estimates if e.owner == owner and e.estimand in MEDIATION]
        tables.extend(
            _mediation_table(owner, graph.outcome_words(outcome), [e for e in mine if e.outcome == outcome])
            for outcome in dict.fromkeys(e.outcome for e in mine)
        )
    return tables


def mediation_summary(estimates: Sequence[Estimate], graph: GraphSummary) -> Table:
    """What was asked of every mediation: the total effect, and what goes through the mediators and around them."""
    exact = [e for e in estimates if e.estimator == "exact" and e.estimand in MEDIATION]
    owners = dict.fromkeys(e.owner for e in exact if e.estimand in SENT)
    rows = []
    for owner in owners:
        for outcome in dict.fromkeys(e.outcome for e in exact if e.owner == owner):
            mine = [e for e in exact if (e.owner, e.outcome) == (owner, outcome)]
            total = next((e for e in mine if e.estimand == "total_effect"), None)
            for component in dict.fromkeys(e.component for e in mine if e.component):
                held = {e.estimand: e for e in mine if e.component == component}
                kinds = [next((held[name] for name in names if name in held), None) for names in _ASKED]
                cells = [_grid_cell(e) for e in (total, *kinds)]
                unit = next((e.unit for e in (total, *kinds) if e is not None), "")
                title = f"{owner.name}: {mine[0].treatment}" if mine[0].treatment else owner.name
                name = graph.outcome_words(outcome)
                rows.append((title, f"{name} ({unit_words(unit)})" if unit else name, component.label, *cells))
    return Table(
        "What goes through the mediators",
        columns(
            "Mediation",
            "Outcome",
            "Through",
            "Total effect#",
            "Through them#",
            "Around them#",
            "Mediated share#",
            "Necessity#",
        ),
        tuple(rows),
        ("Means over pairs with intervals, in the unit of the outcome. Mediated share and necessity are shares.",),
    ).filled


# At mediators, and along a path.
_ASKED = (
    ("natural_indirect_effect", "path_specific_effect"),
    ("natural_direct_effect", "effect_around_path"),
    ("mediated_share", "path_share"),
    ("necessity", "path_necessity"),
)


def in_mediation(estimate: Estimate, estimates: Sequence[Estimate]) -> bool:
    """Whether a mediation table shows this estimate."""
    return estimate.estimand in MEDIATION and any(
        other.owner == estimate.owner and other.estimand in SENT for other in estimates
    )


def _mediation_table(owner: Owner, outcome: str, estimates: Sequence[Estimate]) -> Table:
    exact = [estimate for estimate in estimates if estimate.estimator == "exact"]
    other = {(e.estimand, e.component): e for e in estimates if e.estimator != "exact"}
    components = list(dict.fromkeys(e.component for e in exact if e.component))
    rows = []
    for component in (NOTHING, *components):
        for estimand in MEDIATION:
            for e in exact:
                if e.component != component or e.estimand != estimand:
                    continue
                cross = other.get((estimand, component))
                # A rounding difference reads better as zero than as 2.6e-16.
                gap = None if cross is None else cross.value - e.value
                rows.append(
                    (
                        component.label or "all routes",
                        term_of(estimand).short,
                        format_interval(e.value, e.lower, e.upper),
                        unit_words(e.unit),
                        format_p(e.p_value),
                        format_count(e.n),
                        ABSENT if cross is None else format_number(cross.value, 4),
                        ABSENT if gap is None else format_gap(gap, e.value),
                    )
                )
    treatment = next((e.treatment for e in exact if e.treatment), "")
    through = components[0].label if components else "no component"
    return Table(
        f"{owner.name}: the effect of {treatment or 'the treatment'} on {outcome} through {through}",
        columns("Through", "Effect", "Estimate [interval]#", "Unit", "p#", "Pairs#", "DoWhy#", "Difference#"),
        tuple(rows),
        _notes(exact),
    )


def _notes(estimates: Sequence[Estimate]) -> tuple[str, ...]:
    """The estimates' notes, each with the effects that it is of; what `_SHARED` effects or more have is said once."""
    having: dict[Note, dict[str, None]] = {}
    for e in estimates:
        for note in e.notes:
            having.setdefault(note, {})[term_of(e.estimand).short] = None
    shared = {note for note, names in having.items() if len(names) >= _SHARED}
    lines = dict.fromkeys(f"{', '.join(having[note])}: {note_words(note)}" for note in having if note in shared)
    for e in estimates:
        rest = notes_words(note for note in e.notes if note not in shared)
        if rest:
            lines[f"{term_of(e.estimand).short}: {rest}"] = None
    return tuple(lines)


def format_gap(gap: float, scale: float) -> str:
    """The difference of two computations of one quantity; rounding noise is called ``≈ 0``."""
    if math.isnan(gap):
        return ABSENT
    return "≈ 0" if abs(gap) <= 1e-9 * max(1.0, abs(scale)) else format_number(gap, 2)


def strongest_table(grid: Grid, most: int = _STRONGEST) -> Table:
    """The components with the largest effects, each attribute in a column."""
    rows = strongest_rows(grid, most)
    return Table(
        f"The {len(rows)} components with the largest effect on any attribute"
        if len(rows) < len(grid.rows)
        else "All components, in the network's order",
        (
            Column("Component"),
            *(Column(f"{name} (sd)", True) for name in grid.attributes),
        ),
        tuple((row.component, *(_grid_cell(row.effects.get(name)) for name in grid.attributes)) for row in rows),
    )


def beside_table(grid: Grid, most: int = _STRONGEST) -> Table:
    """Strength on the whole output and specificity of the components with the largest effects."""
    measures = list(dict.fromkeys(key for row in grid.rows for key in row.beside))
    rows = strongest_rows(grid, most)
    return Table(
        "Strength on the whole output" + (", and specificity" if len(measures) > 1 else ""),
        (Column("Component"), *(Column(f"{term_of(estimand).short} ({unit})", True) for estimand, unit in measures)),
        tuple((row.component, *(_grid_cell(row.beside.get(key)) for key in measures)) for row in rows)
        if measures
        else (),
    )


def largest_table(grids: Sequence[Grid]) -> Table:
    """The largest effect of each component of a sweep on any attribute, each direction in a column."""
    largest: dict[str, dict[int, float]] = {}
    for column, grid in enumerate(grids):
        for row in grid.rows:
            largest.setdefault(row.component, {})[column] = row.strongest if math.isfinite(row.strongest) else math.nan
    names = [", ".join(filter(None, (grid.direction, grid.source))) or "effect" for grid in grids]
    return Table(
        "The largest effect of each component on any attribute (sd)",
        columns("Component", *(f"{name}#" for name in names)),
        tuple(
            (component, *(format_number(found.get(column, math.nan), 2) for column in range(len(names))))
            for component, found in largest.items()
        ),
    )


def _grid_cell(estimate: Estimate | None) -> str:
    return ABSENT if estimate is None else format_interval(estimate.value, estimate.lower, estimate.upper)


def input_table(estimates: Sequence[Estimate]) -> Table:
    """What each input manipulation does to each attribute: mean change, size and p-value."""
    return Table(
        "What changing the input does to the output",
        columns("Intervention", "Outcome", "Total effect (mean)#", "Unit", "Effect size (sd)#", "p#", "Pairs#"),
        tuple(
            (
                effect.owner.name,
                effect.outcome,
                _grid_cell(effect.mean),
                ABSENT if effect.mean is None else unit_words(effect.mean.unit),
                _grid_cell(effect.size),
                format_p(effect.first.p_value),
                format_count(effect.first.n),
            )
            for effect in input_effects(estimates)
        ),
    )


def input_tables(estimates: Sequence[Estimate]) -> list[Table]:
    """The same, a table for each intervention, units next to their numbers: one for all is too wide for a terminal."""
    groups: dict[Owner, list[InputEffect]] = {}
    for effect in input_effects(estimates):
        groups.setdefault(effect.owner, []).append(effect)
    return [
        Table(
            f"{owner.name}: what changing the input does to the output",
            columns("Outcome", "Total effect (mean)#", "Effect size (sd)#", "p#"),
            tuple(
                (effect.outcome, _with_unit(effect.mean), _grid_cell(effect.size), format_p(effect.first.p_value))
                for effect in effects
            ),
        ).filled
        for owner, effects in groups.items()
    ]


def _with_unit(estimate: Estimate | None) -> str:
    cell = _grid_cell(estimate)
    unit = ABSENT if estimate is None else unit_words(estimate.unit)
    return cell if ABSENT in (cell, unit) else f"{cell} {unit}"


@dataclass(frozen=True)
class InputEffect:
    """What an input manipulation does to one outcome: the mean change and its size, of which one may be missing."""

    owner: Owner
    outcome: str
    mean: Estimate | None
    size: Estimate | None
    first: Estimate


def input_effects(estimates: Sequence[Estimate]) -> list[InputEffect]:
    """The effects of every input manipulation, in the order of the last estimate of each."""
    chosen = [e for e in estimates if is_input_effect(e, estimates)]
    sizes = {(e.owner, e.outcome): e for e in chosen if e.estimand == EFFECT}
    means = {(e.owner, e.outcome): e for e in chosen if e.estimand == "total_effect"}
    firsts = {(e.owner, e.outcome): e for e in reversed(chosen)}
    return [InputEffect(*key, means.get(key), sizes.get(key), first) for key, first in reversed(list(firsts.items()))]


def is_input_effect(estimate: Estimate, estimates: Sequence[Estimate]) -> bool:
    """Whether an estimate is an input manipulation's: nothing patched, and asked for by no mediation or hypothesis."""
    return (
        not estimate.component
        and estimate.owner.kind == "intervention"
        and estimate.estimator == "exact"
        and estimate.estimand in ("total_effect", EFFECT)
        and not in_mediation(estimate, estimates)
    )


def other_estimates(estimates: Sequence[Estimate]) -> Table:
    """Every estimate that no other table or drawing shows."""
    left = [
        e
        for e in estimates
        if not in_grid(e)
        and not in_mediation(e, estimates)
        and not is_input_effect(e, estimates)
        and not in_subspace_table(e)
        and not (e.estimand in WHOLE and not e.treatment)
    ]
    return Table(
        "Further estimates",
        columns("Asked by", "Quantity", "Outcome", "Component", "Estimate [interval]#", "Unit", "p#", "Pairs#", "By"),
        tuple(
            (
                e.owner.name,
                term_of(e.estimand).short,
                e.outcome,
                e.component.label or ABSENT,
                format_interval(e.value, e.lower, e.upper),
                unit_words(e.unit),
                format_p(e.p_value),
                format_count(e.n),
                "DoWhy" if e.estimator == "dowhy" else e.estimator,
            )
            for e in left
        ),
    )
