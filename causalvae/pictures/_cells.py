"""Numbers as rows of shaded cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from markupsafe import Markup

from causalvae.report.numbers import format_number
from causalvae.report.svg import drawing, element
from causalvae.spec.picture import LabelledDatum

_ROW, _LEFT, _WIDTH = 22.0, 96.0, 500.0
# Of a cell with text, so that the text can be read.
_DARKEST: Final = 0.75


def draw_cells(
    shown: Sequence[LabelledDatum],
    middle: float | None = None,
    text_of: Callable[[float], str] = lambda value: "",
) -> Markup:
    """A row for each datum: the darker a cell, the larger its number.

    Differences, and numbers around a `middle`, have one colour for more and one for less.

    Parameters
    ----------
    shown : sequence of LabelledDatum
    middle : float, optional
        The number without a shade; the smallest of all where omitted.
    text_of : callable
        What stands in a cell that is no difference.
    """
    plain = [number for item in shown if not item.is_change for number in item.datum.numbers if math.isfinite(number)]
    start = min(plain, default=0.0) if middle is None else middle
    reach = max((abs(number - start) for number in plain), default=0.0)
    changes = [number for item in shown if item.is_change for number in item.datum.numbers if math.isfinite(number)]
    most = max(map(abs, changes), default=0.0)
    count = max((len(item.datum.numbers) for item in shown), default=0)
    width = min(26.0, (_WIDTH - _LEFT) / max(count, 1))
    parts: list[Markup] = []
    words = []
    for line, item in enumerate(shown):
        top = _ROW * line
        parts.append(element("text", item.label, x=0.0, y=top + 14, class_="row-label"))
        origin, full = (0.0, most) if item.is_change else (start, reach)
        for place, number in enumerate(item.datum.numbers):
            x = _LEFT + width * place
            share = (number - origin) / full if full and math.isfinite(number) else 0.0
            sign = " is-less" if share < 0 else " is-more"
            class_ = f"cell{sign}" if item.is_change or middle is not None else "cell"
            parts.append(
                element(
                    "rect", element("title", format_number(number)), x=x, y=top + 1, width=width - 1, height=_ROW - 3,
                    class_=class_, fill_opacity=f"{_DARKEST * abs(share):.2f}",
                )
            )  # fmt: skip
            if text := "" if item.is_change else text_of(number):
                middle_x = x + (width - 1) / 2
                parts.append(element("text", text, x=middle_x, y=top + 15, text_anchor="middle", class_="cell-text"))
        words.append(f"{item.label}: {', '.join(format_number(number, 2) for number in item.datum.numbers)}")
    return drawing(_LEFT + width * count, _ROW * len(shown), "; ".join(words), *parts, class_="drawing cells")
