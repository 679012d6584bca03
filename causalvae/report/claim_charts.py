"""The drawings of a claim's card next to its bounds and rivals: members, Shapley values and failing pairs."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from causalvae.circuits.types import Failing, Minimality, Subsets
from causalvae.report.charts import frame, tick_text
from causalvae.report.forest import ForestRow, draw_forest
from causalvae.report.numbers import format_number
from causalvae.report.svg import drawing, element

# Rows of a drawing; the table next to it has all.
MOST_ROWS: Final = 24
_ROW = 18.0


def draw_losses(minimality: Minimality) -> Markup | None:
    """How much the relative error grows without each member, growth that shows a member to be needed shaded.

    Of more than `MOST_ROWS` members those with the smallest growth, on which the claim to be minimal depends.
    """
    weakest = sorted(minimality.members, key=lambda loss: loss.loss)[:MOST_ROWS]
    chosen = [loss for loss in minimality.members if loss in weakest]
    rows = [ForestRow(f"without {loss.member.label}", loss.loss, loss.lower, loss.upper) for loss in chosen]
    return draw_forest(rows, (minimality.margin, None))


def draw_shapley(subsets: Subsets) -> Markup | None:
    """The Shapley value of each unit on an axis from no share of the effect to all of it."""
    strongest = sorted(subsets.shapley, key=lambda value: -abs(value.value))[:MOST_ROWS]
    rows = [
        ForestRow(
            f"{value.unit.label}{' (claimed)' if value.in_circuit else ''}", value.value, value.lower, value.upper
        )
        for value in subsets.shapley
        if value in strongest
    ]
    return draw_forest(rows, anchors=(0.0, 1.0))


def draw_failing(failing: Failing) -> Markup | None:
    """The worst failing pairs: from what the treatment does to what the circuit does alone."""
    if not failing.worst:
        return None
    width, left, right, top = 620.0, 190.0, 600.0, 8.0
    ends = [end for pair in failing.worst for end in (pair.total, pair.indirect)]
    ticks, start, stop = frame(min(0.0, *ends), max(0.0, *ends))

    def place(value: float) -> float:
        return left + (value - start) / (stop - start) * (right - left)

    base = top + _ROW * len(failing.worst)
    parts = []
    for row, pair in enumerate(failing.worst):
        y = top + _ROW * (row + 0.5)
        words = f"pair {pair.pair}: TE {format_number(pair.total)}, NIE {format_number(pair.indirect)}"
        parts.append(
            element(
                "g", element("title", words),
                element("line", x1=place(pair.total), x2=place(pair.indirect), y1=y, y2=y, class_="interval"),
                element("line", x1=place(pair.total), x2=place(pair.total), y1=y - 6, y2=y + 6, class_="observed"),
                element("circle", cx=place(pair.indirect), cy=y, r=4, class_="point"),
            )
        )  # fmt: skip
        parts.append(element("text", f"pair {pair.pair}", x=left - 10, y=y + 4, text_anchor="end", class_="row-label"))
    parts.append(element("line", x1=left, x2=right, y1=base, y2=base, class_="axis"))
    for tick in ticks:
        parts.append(element("line", x1=place(tick), x2=place(tick), y1=base, y2=base + 3, class_="axis"))
        parts.append(element("text", tick_text(tick), x=place(tick), y=base + 14, text_anchor="middle", class_="tick"))
    words = (
        f"The {len(failing.worst)} worst failing pairs: bars are total effects (TE), points the effects of the circuit "
        "alone (NIE)"
    )
    return drawing(width, base + 18, words, *parts, class_="chart chart-forest")
