"""The component x attribute map: a shaded table that sorts and filters, and a panel for each component."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.circuits.types import Circuit, Part, Verdict
from causalvae.effects.types import UnitRole
from causalvae.plan.targets import ComponentSet, Target
from causalvae.report.anchors import Anchors
from causalvae.report.blocks import Block, Figure, HeatTable, Panel
from causalvae.report.effect_grids import Grid, Row, strongest_rows
from causalvae.report.forest import ForestRow, draw_forest
from causalvae.report.glossary import term_of
from causalvae.report.heatmap import cell_text, shade
from causalvae.report.metric_tables import ROLES
from causalvae.report.numbers import ABSENT, Written, format_interval, format_number
from causalvae.report.tables import Column, Table, unit_words
from causalvae.results import Results

# Components that are shown in the network's order, and the strongest of more that open a panel.
FEW_ROWS, MOST_PANELS = 24, 24


def component_map(grid: Grid, results: Results, anchors: Anchors) -> HeatTable:
    """The strongest components of a grid, strongest first; in the network's order where all are shown."""
    is_small = len(grid.rows) <= FEW_ROWS
    # In the network's order while a reader sees all of them at once.
    rows = grid.rows if is_small else tuple(sorted(grid.rows, key=lambda row: row.strongest, reverse=True))
    opened = {row.component for row in strongest_rows(grid, MOST_PANELS)}
    units = {
        (unit.direction, unit.component): unit
        for unit in results.units
        if (unit.owner, unit.treatment) == (grid.owner, grid.treatment)
    }
    roles = [units.get((grid.direction, _target(row))) for row in rows]
    known = any(roles)
    table = Table(
        "Effect size of each component on each attribute (sd)",
        (
            Column("Component"),
            *(Column(name, numeric=True) for name in grid.attributes),
            *((Column("What it is"),) if known else ()),
        ),
        tuple(
            (
                row.component,
                *(_cell(row, name) for name in grid.attributes),
                *((ROLES[unit.role] if unit is not None else ABSENT,) if known else ()),
            )
            for row, unit in zip(rows, roles, strict=True)
        ),
    )
    shades = tuple(
        ("", *(shade(_value(row, name), grid.largest) for name in grid.attributes), *(("",) if known else ()))
        for row in rows
    )
    panels = tuple(
        _panel(row, grid, results, unit, anchors) if row.component in opened else None
        for row, unit in zip(rows, roles, strict=True)
    )
    summary = "" if is_small else "Sort and filter the strongest components, and open each"
    return HeatTable(table, shades, panels, summary)


def _target(row: Row) -> Target:
    return next(estimate.component for estimate in (*row.effects.values(), *row.beside.values()))


def _value(row: Row, attribute: str) -> float | None:
    effect = row.effects.get(attribute)
    return None if effect is None else effect.value


def _cell(row: Row, attribute: str) -> str:
    """A short number that keeps its interval."""
    effect = row.effects.get(attribute)
    if effect is None:
        return ABSENT
    whole = format_interval(effect.value, effect.lower, effect.upper)
    return Written(cell_text(effect.value), whole.values if isinstance(whole, Written) else ())


def _panel(row: Row, grid: Grid, results: Results, unit: UnitRole | None, anchors: Anchors) -> Panel:
    """All that is known of one component."""
    drawing = draw_forest(
        [ForestRow(name, e.value, e.lower, e.upper) for name, e in row.effects.items()],
        anchors=(0.0, grid.largest),
    )
    blocks: list[Block] = [] if drawing is None else [Figure(drawing, "Effect sizes in sd, with intervals.")]
    target = _target(row)
    beside = [
        f"{term_of(estimand).short} {format_interval(e.value, e.lower, e.upper)} {unit_words(unit_of)}"
        for (estimand, unit_of), e in row.beside.items()
    ]
    told = [*_role(unit), *_latent(target, results), *_claims(target, results.verdicts), *beside]
    anchor = anchors.take("component", grid.owner.name, grid.direction or "set", row.component)
    return Panel(anchor, row.component, "", f"{'; '.join(told)}." if told else "", tuple(blocks))


def _role(unit: UnitRole | None) -> list[str]:
    if unit is None:
        return []
    breadth = format_interval(unit.breadth, unit.lower, unit.upper)
    words = f"{ROLES[unit.role]}, moves most: {unit.on}" if unit.moves_declared else ROLES[unit.role]
    return [f"{words} (effective number of {unit.over}: {breadth})" if unit.moves_declared else words]


def _parts(target: Target) -> Circuit:
    return target.components if isinstance(target, ComponentSet) else ()


def _latent(target: Target, results: Results) -> list[str]:
    """What is known of a latent over the data."""
    parts = _parts(target)
    if len(parts) != 1 or parts[0].site != "latent" or parts[0].units is None or len(parts[0].units) != 1:
        return []
    found = next((latent for latent in results.latents if latent.latent == parts[0].units[0]), None)
    if found is None:
        return []
    mapped = [f"mapped to {found.factor}"] if found.factor else []
    return [*mapped, *([] if found.kl is None else [f"carries {format_number(found.kl)} nats about the input"])]


def _claims(target: Target, verdicts: Sequence[Verdict]) -> list[str]:
    """The claims whose circuit it is in."""
    parts = _parts(target)
    return [
        f"in the circuit of “{verdict.words}” ({verdict.status})"
        for verdict in verdicts
        if parts and all(any(_holds(whole, part) for whole in verdict.circuit) for part in parts)
    ]


def _holds(whole: Part, part: Part) -> bool:
    if whole.site != part.site or whole.window != part.window:
        return False
    return whole.units is None or (part.units is not None and set(part.units) <= set(whole.units))
