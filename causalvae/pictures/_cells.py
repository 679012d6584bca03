"""Numbers as rows of shaded cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from causalvae.report.numbers import format_number
from causalvae.report.svg import drawing, element
from causalvae.spec.picture import LabelledDatum

_ROW, _LEFT, _WIDTH = 22.0, 150.0, 500.0


def draw_cells(
    shown: Sequence[LabelledDatum],
    limits: tuple[float, float] | None = None,
    text_of: Callable[[float], str] = lambda value: "",
) -> Markup:
    """A row for each datum: the darker a cell, the larger its number; of differences, the larger its size.

    Parameters
    ----------
    shown : sequence of LabelledDatum
    limits : (float, float), optional
        Numbers without and with full shade; of all that is no difference where omitted.
    text_of : callable
        What stands in a cell.
    """
    plain = [number for item in shown if not item.is_change for number in item.datum.numbers if math.isfinite(number)]
    low, high = limits or (min(plain, default=0.0), max(plain, default=1.0))
    most = max((abs(v) for item in shown if item.is_change for v in item.datum.numbers if math.isfinite(v)), default=0)
    count = max((len(item.datum.numbers) for item in shown), default=0)
    width = min(24.0, (_WIDTH - _LEFT) / max(count, 1))
    parts: list[Markup] = []
    words = []
    for line, item in enumerate(shown):
        top = _ROW * line
        parts.append(element("text", item.label, x=0.0, y=top + 14, class_="row-label"))
        for place, number in enumerate(item.datum.numbers):
            share = abs(number) / (most or 1) if item.is_change else (number - low) / (high - low or 1)
            class_ = "cell is-less" if item.is_change and number < 0 else "cell is-more" if item.is_change else "cell"
            x = _LEFT + width * place
            shade = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
            parts.append(
                element(
                    "rect", element("title", format_number(number)), x=x, y=top + 1, width=width - 1, height=_ROW - 3,
                    class_=class_, fill_opacity=f"{shade:.2f}",
                )
            )  # fmt: skip
            if text := text_of(number) if not item.is_change else "":
                parts.append(
                    element("text", text, x=x + width / 2, y=top + 14, text_anchor="middle", class_="cell-text")
                )
        words.append(f"{item.label}: {', '.join(format_number(number, 2) for number in item.datum.numbers)}")
    return drawing(_LEFT + width * count, _ROW * len(shown), "; ".join(words), *parts, class_="drawing cells")
