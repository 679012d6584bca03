"""The named metrics and the kinds of units, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from causalvae.effects.notes import Note
from causalvae.effects.sweep_types import UnitTally, tally_units
from causalvae.effects.types import BROAD, MetricRow, Role, UnitRole
from causalvae.plan.owner import Owner
from causalvae.report.glossary import term_of
from causalvae.report.notes import note_words
from causalvae.report.numbers import ABSENT, format_count, format_fixed, format_interval, format_number, format_p
from causalvae.report.tables import Table, columns, unit_words

ROLES: dict[Role, str] = {
    "polysemantic": "polysemantic",
    "monosemantic": "monosemantic",
    "undecided": "undecided",
    "undeclared": "moves what is not declared",
    "inert": "inert",
}
_FEW_UNITS = 24

# Estimates of whole interventions that the metrics' table shows.
WHOLE = ("modularity", "graph_modularity", "polysemantic_share")


def metric_table(rows: Sequence[MetricRow]) -> Table:
    """The metrics of one latent perturbation next to their baselines."""
    owner = rows[0].owner.name if rows else ""
    notes: dict[Note, list[str]] = {}
    for row in rows:
        for note in row.notes:
            notes.setdefault(note, []).append(_label(row))
    return Table(
        f"{owner}: metrics of the latents, compared with the data's own factors and a network with random weights",
        columns("Metric", "Unit", "Network [interval]#", "Median#", "Latents#", "Oracle#", "Random#"),
        tuple(
            (
                _label(row),
                unit_words(row.unit),
                format_interval(row.value, row.lower, row.upper),
                format_number(row.median),
                format_count(row.units) if row.units else ABSENT,
                format_number(row.oracle),
                format_number(row.random),
            )
            for row in rows
        ),
        tuple(f"{', '.join(dict.fromkeys(labels))}: {note_words(note)}" for note, labels in notes.items()),
    )


def _label(row: MetricRow) -> str:
    name = term_of(row.metric).short
    return f"{name} at {row.at}" if row.at else name


def role_words(roles: Sequence[UnitRole], tallies: Sequence[UnitTally] = ()) -> str:
    """How many units are of each kind, in a sentence; `tallies` are of all where `roles` are the listed ones."""
    tallies = tallies or tally_units(roles)
    counts: Counter[Role] = Counter()
    for tally in tallies:
        counts[tally.role] += tally.units
    moved = [
        end for tally in tallies if tally.role == "undeclared" for end in (tally.least, tally.most) if end is not None
    ]
    amounts = {"undeclared": f" (by {amount_words(moved)} sd of the output)"} if moved else {}
    several = ROLES | {"undeclared": "move what is not declared"}
    told = [
        f"{format_count(counts[kind])} {(several if counts[kind] > 1 else ROLES)[kind]}{amounts.get(kind, '')}"
        for kind in ROLES
        if counts[kind]
    ]
    over = roles[0].over
    known = f"{roles[0].outcomes} {over}"
    if over == "attributes":
        known += ", because the declared graph does not say which of them measure which factor"
    return f"{format_count(counts.total())} units: {', '.join(told)} (classified by their effects on {known})."


def amount_words(amounts: Sequence[float]) -> str:
    """One amount, or the smallest and the largest of several."""
    ends = (format_number(min(amounts), 2), format_number(max(amounts), 2))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def role_table(roles: Sequence[UnitRole]) -> Table:
    """Each unit's kind; inert ones are omitted where units are many."""
    shown = list(roles)
    if len(shown) > _FEW_UNITS:
        shown = [role for role in roles if role.role != "inert"]
    order = list(ROLES)
    shown.sort(key=lambda role: order.index(role.role))
    left = len(roles) - len(shown)
    return Table(
        "What each unit is",
        columns(
            "Component",
            "Kind",
            f"{roles[0].over.capitalize() if roles else 'Factors'} moved [interval]#",
            "From the threshold#",
            "Most on",
            "Effect there (sd)#",
            "p of none#",
            "Output moved#",
            "Output (sd)#",
            "Pairs#",
        ),
        tuple(
            (
                role.component.label,
                ROLES[role.role],
                format_interval(role.breadth, role.lower, role.upper) if role.moves_declared else ABSENT,
                format_fixed(role.from_threshold, 2) if role.moves_declared else ABSENT,
                role.on if role.moves_declared else ABSENT,
                format_number(role.largest),
                format_p(role.p_value),
                format_number(role.output),
                format_number(role.output_share),
                format_count(role.n),
            )
            for role in shown
        ),
        (
            f"From the threshold: factors moved less {BROAD:g}; above 0 several, below 0 one.",
            *((f"{format_count(left)} inert units are not listed.",) if left else ()),
        ),
    )


def role_heading(role: UnitRole) -> str:
    """Which units a table of kinds is of."""
    how = ", ".join(filter(None, (role.direction, role.source)))
    return f"Units of {role.owner.name}{f' ({how})' if how else ''}"


def group_roles(units: Sequence[UnitRole]) -> list[list[UnitRole]]:
    """Units by intervention and direction, in order."""
    groups: dict[tuple[Owner, str], list[UnitRole]] = {}
    for unit in units:
        groups.setdefault((unit.owner, unit.direction), []).append(unit)
    return list(groups.values())


def group_metrics(rows: Sequence[MetricRow]) -> list[list[MetricRow]]:
    """Metrics by intervention, in order."""
    groups: dict[Owner, list[MetricRow]] = {}
    for row in rows:
        groups.setdefault(row.owner, []).append(row)
    return list(groups.values())
