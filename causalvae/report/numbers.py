"""How a report writes numbers, intervals and p-values."""

# ruff: noqa: RUF001, RUF002  an en dash stands where there is no number

from __future__ import annotations

import math
from collections.abc import Sequence

ABSENT = "–"
MINUS = "\u2212"
# Ends of an interval that are nearer than this share of them differ by rounding.
_ROUNDING = 1e-12
_MOST_DECIMALS = 6


class Written(str):
    """A number as text that keeps its value, and its interval where it has one, for sorting and for CSV files.

    Examples
    --------
    >>> number = format_interval(0.9183, 0.9012, 0.9401)
    >>> number, number.values
    ('0.92 [0.90, 0.94]', (0.9183, 0.9012, 0.9401))
    """

    values: tuple[float, ...]

    def __new__(cls, text: str, values: tuple[float, ...] = ()) -> Written:
        """`text` with `values`."""
        made = super().__new__(cls, text)
        made.values = values
        return made


def is_absent(value: float | None) -> bool:
    """Whether there is no number to write: None or not a number."""
    return value is None or math.isnan(value)


def format_number(value: float | None, digits: int = 3) -> str:
    """Write `value` with `digits` significant digits, never in exponents between 1e-4 and 1e6.

    Examples
    --------
    >>> format_number(0.91834), format_number(0.99996), format_number(1234.5), format_number(None)
    ('0.918', '1.00', '1,234', '–')
    """
    if value is None or math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return Written("∞" if value > 0 else f"{MINUS}∞", (value,))
    if value == 0:
        return Written("0", (value,))
    size = abs(value)
    if size < 1e-4 or size >= 1e6:
        mantissa, _, exponent = f"{size:.{digits - 1}e}".partition("e")
        text = f"{mantissa}e{int(exponent)}"
    else:
        # Of the rounded number: 0.9999 is written as 1.00.
        decimals = max(0, digits - 1 - math.floor(math.log10(float(f"{size:.{digits - 1}e}"))))
        text = f"{size:,.{decimals}f}"
    return Written(f"{MINUS}{text}" if value < 0 else text, (value,))


def format_signed(value: float | None, digits: int = 3) -> str:
    """Write a change: as `format_number`, with a sign before all numbers but zero.

    Examples
    --------
    >>> format_signed(12.3), format_signed(0.0)
    ('+12.3', '0')
    """
    text = format_number(value, digits)
    return text if value is None or not value > 0 else f"+{text}"


def format_count(value: int | float | None) -> str:
    """Write a count with thousands separators."""
    if value is None or math.isnan(value):
        return ABSENT
    return Written(f"{value:,.0f}", (value,))


def format_p(value: float | None) -> str:
    """Write a p-value: three decimals, and ``< 0.001`` below that.

    Examples
    --------
    >>> format_p(0.0042), format_p(1e-9), format_p(None)
    ('0.004', '< 0.001', '–')
    """
    if value is None or math.isnan(value):
        return ABSENT
    if value < 0.001:
        return Written("< 0.001", (value,))
    return Written(f"{value:.3f}", (value,))


def p_words(value: float | None) -> str:
    """Write a p-value within a sentence: ``p = 0.004``, ``p < 0.001``."""
    text = format_p(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def format_interval(value: float | None, lower: float | None = None, upper: float | None = None) -> str:
    """Write an estimate and its interval with the same number of decimals.

    The decimals follow the interval's width: finer ones would be noise.

    Examples
    --------
    >>> format_interval(0.9183, 0.9012, 0.9401)
    '0.92 [0.90, 0.94]'
    """
    if value is None or math.isnan(value):
        return ABSENT
    if lower is None or upper is None or not all(map(math.isfinite, (value, lower, upper))):
        return format_number(value)
    if value == 0 and max(abs(lower), abs(upper)) < _ROUNDING:
        lower = upper = 0.0
    decimals = interval_decimals((value, lower, upper))
    if decimals is None:
        text = f"{format_number(value)} [{format_number(lower)}, {format_number(upper)}]"
    else:
        text = f"{_fixed(value, decimals)} [{_fixed(lower, decimals)}, {_fixed(upper, decimals)}]"
    return Written(text, (value, lower, upper))


def interval_decimals(numbers: Sequence[float]) -> int | None:
    """Decimals that let a reader tell the ends of `numbers` apart; None where exponents read better.

    The last decimal is worth at most half the spread: a tenth of it or finer would be noise.
    """
    largest = max(abs(number) for number in numbers)
    if largest >= 1e6 or (0 < largest < 1e-4):
        return None
    spread = max(numbers) - min(numbers)
    if spread <= _ROUNDING * largest:
        spread = 0.0
    fewest = 0 if largest >= 100 else 1 if largest >= 10 else 2
    needed = math.ceil(-math.log10(spread / 2)) if spread > 0 else math.inf
    if needed > _MOST_DECIMALS:
        # No number of decimals that is written tells the ends apart.
        return fewest if largest == 0 or largest >= 0.01 else min(_MOST_DECIMALS, 2 - math.floor(math.log10(largest)))
    return max(fewest, int(needed))


def format_bound(at_least: float | None, at_most: float | None) -> str:
    """``≥ 0.7``, ``≤ 0.2`` or ``0.2 to 0.7``; empty where there is no bound."""
    if at_least is None:
        return "" if at_most is None else f"≤ {at_most:g}"
    return f"≥ {at_least:g}" if at_most is None else f"{at_least:g} to {at_most:g}"


def format_fixed(value: float | None, decimals: int = 3) -> str:
    """Write `value` with this many decimals, for columns of numbers of one kind."""
    if value is None or not math.isfinite(value):
        return format_number(value)
    return Written(_fixed(value, decimals), (value,))


def _fixed(value: float, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    is_zero = not text.strip("0.,")
    return f"{MINUS}{text}" if value < 0 and not is_zero else text


def format_fact(value: object) -> str:
    """Write a fact from a manifest: numbers as numbers, yes or no, lists joined by commas."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format_number(value, 4)
    if isinstance(value, (list, tuple)):
        return ", ".join(format_fact(item) for item in value)
    return str(value)


def flatten_facts(facts: object, prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (dotted name, text) pairs, in order."""
    if isinstance(facts, dict):
        rows: list[tuple[str, str]] = []
        for key, value in facts.items():
            rows.extend(flatten_facts(value, f"{prefix}.{key}" if prefix else str(key)))
        return rows
    return [(prefix, format_fact(facts))]


def percent(value: float | None) -> str:
    """Write a share as a whole percentage."""
    if value is None or math.isnan(value):
        return ABSENT
    text = f"{value * 100:.0f}"
    return Written(f"{'0' if text == '-0' else text.replace('-', MINUS)} %", (value,))


def quantile_label(quantile: float) -> str:
    """Write a quantile as a reader would say it: ``q05``, ``q50``, ``q97.5``."""
    scaled = round(quantile * 100, 3)
    return f"q{scaled:02.0f}" if math.isclose(scaled, round(scaled)) else f"q{scaled:g}"
