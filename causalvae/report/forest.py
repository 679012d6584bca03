"""Estimates of several sides on one number line, a row each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from causalvae.report.charts import frame, tick_text
from causalvae.report.numbers import format_interval
from causalvae.report.svg import drawing, element, shorten

_ROW = 22.0
_TOP = 6.0


@dataclass(frozen=True)
class ForestRow:
    """One side's estimate and interval; without an interval only the point is drawn."""

    label: str
    value: float
    lower: float | None
    upper: float | None


def draw_forest(
    rows: Sequence[ForestRow],
    bound: tuple[float | None, float | None] = (None, None),
    anchors: Sequence[float] = (0.0,),
) -> Markup | None:
    """Rows below each other on a common axis, the values that meet `bound` shaded.

    None where no row has a finite value.

    Parameters
    ----------
    rows : sequence of ForestRow
    bound : (float or None, float or None)
        The least and the most; nothing is shaded where both are None.
    anchors : sequence of float
        Values that the axis must hold.
    """
    drawn = [row for row in rows if math.isfinite(row.value)]
    if not drawn:
        return None
    width, left, right = 620.0, 190.0, 600.0
    lowest, highest = bound
    spans = [_ends(row) for row in drawn]
    held = [*anchors, *(edge for edge in (lowest, highest) if edge is not None)]
    ticks, start, stop = frame(min(*held, *(low for low, _ in spans)), max(*held, *(high for _, high in spans)))

    def place(value: float) -> float:
        return left + (value - start) / (stop - start) * (right - left)

    base = _TOP + _ROW * len(drawn)
    parts: list[Markup] = []
    if lowest is not None or highest is not None:
        begin, end = place(start if lowest is None else lowest), place(stop if highest is None else highest)
        parts.append(
            element("rect", x=begin, y=_TOP, width=max(end - begin, 1), height=base - _TOP, class_="bound-region")
        )
    for position, (row, (low, high)) in enumerate(zip(drawn, spans, strict=True)):
        y = _TOP + _ROW * (position + 0.5)
        parts.append(
            element("text", shorten(row.label, 28), x=left - 10, y=y + 4, text_anchor="end", class_="row-label")
        )
        parts.append(element("line", x1=place(low), x2=place(high), y1=y, y2=y, class_="interval"))
        parts.extend(
            element("line", x1=place(end), x2=place(end), y1=y - 4, y2=y + 4, class_="interval")
            for end in ((low, high) if high > low else ())
        )
        parts.append(element("circle", cx=place(row.value), cy=y, r=4, class_="point"))
    parts.append(element("line", x1=left, x2=right, y1=base, y2=base, class_="axis"))
    for tick in ticks:
        parts.append(element("line", x1=place(tick), x2=place(tick), y1=base, y2=base + 3, class_="axis"))
        parts.append(element("text", tick_text(tick), x=place(tick), y=base + 14, text_anchor="middle", class_="tick"))
    words = "; ".join(f"{row.label} {format_interval(row.value, row.lower, row.upper)}" for row in drawn)
    return drawing(width, base + 18, words, *parts, class_="chart chart-forest")


def _ends(row: ForestRow) -> tuple[float, float]:
    if row.lower is None or row.upper is None or not (math.isfinite(row.lower) and math.isfinite(row.upper)):
        return row.value, row.value
    return row.lower, row.upper
