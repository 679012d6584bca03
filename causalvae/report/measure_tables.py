"""What runs are summarised by, side by side, and how far measures rank networks alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from causalvae.comparison.summarise import CLASSICAL, DISENTANGLEMENT, LEADING
from causalvae.comparison.types import Measure, RankCorrelation, Side
from causalvae.report.numbers import ABSENT, format_fixed, format_interval, format_p, interval_decimals
from causalvae.report.tables import Table, columns

_WHOLE = ("active latents",)
_CLASSICAL = tuple(CLASSICAL.values())


def measure_tables(sides: Sequence[Side]) -> tuple[Table, Table | None, Table | None]:
    """The measures of each side: the published study's, the others, and the other classical scores.

    Measures that no side has are left out, and tables of none are None.
    """
    held = dict.fromkeys(m.name for side in sides for m in side.measures if m.value is not None)
    leading = [name for name in LEADING if name in held]
    classical = [name for name in _CLASSICAL if name in held and name not in leading]
    others = [name for name in held if name not in (*leading, *classical)]
    notes = tuple(f"{side.name}: {side.description}" for side in sides if side.description)
    return (
        _table("Measures", sides, leading, notes),
        _table("Further measures", sides, others) if others else None,
        _table("Further classical scores", sides, classical) if classical else None,
    )


def _table(caption: str, sides: Sequence[Side], names: Sequence[str], notes: tuple[str, ...] = ()) -> Table:
    units = {measure.name: measure.unit for side in sides for measure in side.measures}
    heads = [f"{name}{_unit(units[name])}#" for name in names]
    rows = tuple((side.name, *(_shown(side.measure(name)) for name in names)) for side in sides)
    return Table(caption, columns("Side", *heads), rows, notes)


def _unit(unit: str) -> str:
    return f" ({unit})" if unit and unit != "share" else ""


def _shown(measure: Measure | None) -> str:
    if measure is None or measure.value is None:
        return ABSENT
    if measure.name in _WHOLE:
        return format_fixed(measure.value, 0)
    if measure.lower is None or measure.upper is None:
        return format_fixed(measure.value, 3 if abs(measure.value) < 10 else 2)
    # Finer decimals than three would only fill a table of many columns.
    return format_estimate(measure.value, measure.lower, measure.upper)


def format_estimate(value: float, lower: float, upper: float) -> str:
    """A value and its interval with at most three decimals."""
    decimals = min(interval_decimals((value, lower, upper)) or 3, 3)
    return f"{format_fixed(value, decimals)} [{format_fixed(lower, decimals)}, {format_fixed(upper, decimals)}]"


def score_names(names: Iterable[str]) -> tuple[str, ...]:
    """The scores that some of the measures called `names` are, as the glossary knows them."""
    wanted = set(names)
    return tuple(name for name, short in CLASSICAL.items() if short in wanted)


def measure_words(sides: Sequence[Side]) -> str:
    """What the classical columns of a comparison are, where it has any."""
    held = {m.name: m for side in sides for m in side.measures if m.value is not None}
    words = []
    if DISENTANGLEMENT in held:
        words.append("Disentanglement is that of DCI.")
    if CLASSICAL["modularity"] in held:
        words.append("Code modularity is a score of the encoder's means, modularity one of what latents do to a layer.")
    if any(_is_outside(m) for side in sides for m in side.measures):
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
            f"{found.left} and {found.right}",
            found.data,
            format_interval(found.value, found.lower, found.upper),
            format_p(found.p_value),
            str(found.n),
        )
        for found in correlations
    )
    return Table("Rank correlations", columns("Measures", "Data", "Spearman [interval]#", "p#", "Networks#"), rows)
