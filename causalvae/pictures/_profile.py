"""Rows of a table before and after: a line a column, with a mark for each input and output."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from markupsafe import Markup

from causalvae.pictures._numbers import columns_of
from causalvae.report.numbers import format_number
from causalvae.report.svg import drawing, element, shorten
from causalvae.spec.picture import LabelledDatum, OutputFacts

_MOST_COLUMNS: Final = 12
# Outputs with more numbers are no rows of a table.
_LARGEST: Final = 1 << 20
# Position of the output of x: a line leads from there to the last mark.
_DECODED: Final = 2
_ROW, _LEFT, _RIGHT, _WIDTH = 22.0, 128.0, 46.0, 420.0
# Between the ends of a line and its numbers: a mark at an end is up to 6 wide on each side.
_GAP = 9.0


def draw_profile(shown: Sequence[LabelledDatum], facts: OutputFacts) -> Markup:
    """The columns that change most, in the order of the table; each line has the range of the column, or of its marks.

    Parameters
    ----------
    shown : sequence of LabelledDatum
        At most five that are no differences, each with as many numbers as `facts` has places.
    facts : OutputFacts

    Returns
    -------
    Markup
        Words where the facts do not fit the numbers.
    """
    # Stored results may have been changed: nothing is made of a size that the numbers do not have.
    size = math.prod(facts.shape)
    count = len(facts.focus) or size
    if size > _LARGEST or any(not 0 <= place < size for place in facts.focus):
        return element("span", "no columns")
    if any(len(item.datum.numbers) != count for item in shown):
        return element("span", "no columns")
    columns = columns_of(facts)
    marked = [item for item in shown if not item.is_change]
    changes = [item.datum.numbers for item in shown if item.is_change]
    names = [columns.names[place] for place in facts.places]
    spans = [abs(columns.span[place]) or 1.0 for place in facts.places]
    moved = [max((abs(change[row]) / spans[row] for change in changes), default=0.0) for row in range(len(names))]
    largest = sorted(range(len(names)), key=lambda row: -moved[row])[:_MOST_COLUMNS]
    parts = [_key(place, item.label) for place, item in enumerate(marked)]
    words = []
    for line, row in enumerate(sorted(largest)):
        values = [item.datum.numbers[row] for item in marked]
        place = facts.places[row]
        ends = (columns.offset[place], columns.offset[place] + columns.span[place]) if columns.is_scaled else ()
        parts += _line(names[row], values, ends, 34.0 + _ROW * line)
        listed = ", ".join(f"{item.label} {format_number(value)}" for item, value in zip(marked, values, strict=True))
        words.append(f"{names[row]}: {listed}")
    height = 30.0 + _ROW * len(largest)
    if len(largest) < len(names):
        few = f"The {len(largest)} of {len(names)} columns that change most."
        parts.append(element("text", few, x=2.0, y=height + 12, class_="tick"))
        height += 18.0
    return drawing(_WIDTH, height, "; ".join(words), *parts, class_="drawing profile")


def _line(name: str, values: Sequence[float], ends: Sequence[float], y: float) -> list[Markup]:
    known = [number for number in (*values, *ends) if math.isfinite(number)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    span = high - low or 1.0
    stop = _WIDTH - _RIGHT
    parts = [
        element("text", element("title", name), shorten(name, 13), x=2.0, y=y + 4, class_="row-label"),
        element("line", x1=_LEFT, x2=stop, y1=y, y2=y, class_="none"),
        element("text", format_number(low, 2), x=_LEFT - _GAP, y=y + 3.5, text_anchor="end", class_="tick"),
        element("text", format_number(high, 2), x=stop + _GAP, y=y + 3.5, class_="tick"),
    ]
    places = [_LEFT + (value - low) / span * (stop - _LEFT) if math.isfinite(value) else None for value in values]
    if len(places) > _DECODED and None not in (places[_DECODED], places[-1]):
        parts.append(element("line", x1=places[_DECODED], x2=places[-1], y1=y, y2=y, class_="moved-line"))
    parts += [_MARKS[mark](x, y) for mark, x in enumerate(places) if x is not None]
    return parts


def _key(place: int, label: str) -> Markup:
    x = 10.0 + place * 84.0
    return element("g", _MARKS[place](x, 9.0), element("text", label, x=x + 9, y=12.5, class_="tick"))


def _circle(class_: str) -> Callable[[float, float], Markup]:
    return lambda x, y: element("circle", cx=x, cy=y, r=4.5, class_=class_)


def _square(class_: str) -> Callable[[float, float], Markup]:
    return lambda x, y: element("rect", x=x - 4, y=y - 4, width=8.0, height=8.0, class_=class_)


def _diamond(x: float, y: float) -> Markup:
    return element("path", d=f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z", class_="patched-mark")


# Inputs, outputs and the patched output, distinguished by their form: no colour is needed.
_MARKS: Final = (
    _circle("open-mark"), _circle("point"), _square("open-mark"), _square("point"), _diamond,
)  # fmt: skip
