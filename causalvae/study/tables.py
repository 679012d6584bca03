"""Tables of the measures of a study, over runs and seeds, and of rank correlations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from causalvae.report.measure_labels import MEASURE_LABELS
from causalvae.report.numbers import ABSENT, format_fixed, format_interval, format_p, interval_decimals
from causalvae.report.tables import Table, columns
from causalvae.spec.measures import MeasureName
from causalvae.study.measures import CLASSICAL
from causalvae.study.types import Group, Measure, RankCorrelation, StudyRun

# Leading columns, in the order of the published study: in a comparison, and over seeds.
_LEADING: Final = (
    MeasureName.DISENTANGLEMENT,
    MeasureName.MIG,
    MeasureName.STRENGTH,
    MeasureName.SPECIFICITY,
    MeasureName.MODULARITY,
    MeasureName.POLYSEMANTIC_SHARE,
    MeasureName.MEDIATED_SHARE,
    MeasureName.RECONSTRUCTION,
)
_LEADING_GROUPS: Final = (
    MeasureName.DISENTANGLEMENT,
    MeasureName.STRENGTH,
    MeasureName.SPECIFICITY,
    MeasureName.MODULARITY,
    MeasureName.POLYSEMANTIC_SHARE,
    MeasureName.MEDIATED_SHARE,
    MeasureName.RECONSTRUCTION,
    MeasureName.KL,
    MeasureName.ACTIVE_LATENTS,
)


def measure_tables(runs: Sequence[StudyRun]) -> tuple[Table, Table | None, Table | None]:
    """Tables of the measures of each run: leading ones, others, and other classical scores.

    Measures that no run has are omitted; the second and third table are None if empty.
    """
    held = dict.fromkeys(m.name for run in runs for m in run.measures if m.value is not None)
    leading = [name for name in _LEADING if name in held]
    classical = [name for name in CLASSICAL.values() if name in held and name not in leading]
    others = [name for name in held if name not in (*leading, *classical)]
    notes = tuple(f"{run.name}: {run.description}" for run in runs if run.description)
    return (
        _table("Measures", runs, leading, notes),
        _table("Further measures", runs, others) if others else None,
        _table("Further classical scores", runs, classical) if classical else None,
    )


def _table(caption: str, runs: Sequence[StudyRun], names: Sequence[MeasureName], notes: tuple[str, ...] = ()) -> Table:
    units = {measure.name: measure.unit for run in runs for measure in run.measures}
    heads = [f"{MEASURE_LABELS[name]}{_unit(units[name])}#" for name in names]
    rows = tuple((run.name, *(_shown(run.measure(name)) for name in names)) for run in runs)
    return Table(caption, columns("Side", *heads), rows, notes)


def _unit(unit: str) -> str:
    return f" ({unit})" if unit and unit != "share" else ""


def _shown(measure: Measure | None) -> str:
    if measure is None or measure.value is None:
        return ABSENT
    if measure.name is MeasureName.ACTIVE_LATENTS:
        return f"{measure.value:.0f} of {measure.n}"
    if measure.lower is None or measure.upper is None:
        return format_fixed(measure.value, 3 if abs(measure.value) < 10 else 2)
    # At most three decimals, since the table has many columns.
    return format_estimate(measure.value, measure.lower, measure.upper)


def format_estimate(value: float, lower: float, upper: float) -> str:
    """A value and its interval with at most three decimals."""
    decimals = min(interval_decimals((value, lower, upper)) or 3, 3)
    return f"{format_fixed(value, decimals)} [{format_fixed(lower, decimals)}, {format_fixed(upper, decimals)}]"


def score_names(measures: Iterable[MeasureName]) -> tuple[str, ...]:
    """The names in the glossary of the classical scores in `measures`."""
    wanted = set(measures)
    return tuple(score for score, measure in CLASSICAL.items() if measure in wanted)


def measure_words(runs: Sequence[StudyRun]) -> str:
    """Explanation of the classical columns of a comparison, if any."""
    held = {m.name: m for run in runs for m in run.measures if m.value is not None}
    words = []
    if MeasureName.DISENTANGLEMENT in held:
        words.append("Disentanglement is that of DCI.")
    if MeasureName.CODE_MODULARITY in held:
        words.append("Code modularity is a score of the encoder's means, modularity one of what latents do to a layer.")
    if any(_is_outside(m) for run in runs for m in run.measures):
        words.append("An interval that leaves its value out says which way so few samples bias that value.")
    return " ".join(words)


def _is_outside(measure: Measure) -> bool:
    if measure.value is None or measure.lower is None or measure.upper is None:
        return False
    return not measure.lower <= measure.value <= measure.upper


def correlation_table(correlations: Sequence[RankCorrelation]) -> Table:
    """Rank correlations over networks."""
    rows = tuple(
        (
            f"{MEASURE_LABELS[found.left]} and {MEASURE_LABELS[found.right]}",
            found.data[0] if len(found.data) == 1 else f"{len(found.data)} data sets",
            format_interval(found.value, found.lower, found.upper),
            format_p(found.p_value),
            str(found.n),
        )
        for found in correlations
    )
    return Table("Rank correlations", columns("Measures", "Data", "Spearman [interval]#", "p#", "Networks#"), rows)


def order_measures(held: Sequence[MeasureName]) -> list[MeasureName]:
    """Measures in the order of tables of studies."""
    return [name for name in _LEADING_GROUPS if name in held] + [name for name in held if name not in _LEADING_GROUPS]


def group_table(data: str, groups: Sequence[Group], names: Sequence[MeasureName]) -> Table:
    """Means over seeds with intervals, for each kind of network on one data set."""
    rows = tuple((group.model, str(group.networks), *(_spread(group, name) for name in names)) for group in groups)
    return Table(data, columns("Objective", "Seeds#", *_heads(names)), rows).filled


def network_table(runs: Sequence[StudyRun], names: Sequence[MeasureName]) -> Table:
    """The measures of each network of a study."""
    rows = tuple(
        (run.name, *(format_fixed(run.value(name), 0 if name is MeasureName.ACTIVE_LATENTS else 3) for name in names))
        for run in runs
    )
    return Table("Every network", columns("Network", *_heads(names)), rows)


def _heads(names: Iterable[MeasureName]) -> list[str]:
    return [f"{MEASURE_LABELS[name]}#" for name in names]


def _spread(group: Group, name: MeasureName) -> str:
    if name not in group.means:
        return ABSENT
    whole = name is MeasureName.ACTIVE_LATENTS
    if whole or group.lows[name] == group.highs[name]:
        return format_fixed(group.means[name], 1 if whole else 3)
    return format_interval(group.means[name], group.lowers[name], group.uppers[name])
