"""Effect sizes as shades: blocks of small cells, a palette that is safe for colour-blind readers, and its legend.

A shade grows with the square root of the effect, so that small effects can be told from none; the legend says so.
The palette is a single hue whose lightness falls (light page) or rises (dark page) steadily, which no form of colour
blindness confuses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from markupsafe import Markup

from causalvae.report.effect_grids import Block, Grid, Row
from causalvae.report.numbers import format_interval, format_number, is_absent
from causalvae.report.svg import drawing, element, shorten

STEPS = 20
_LIGHT = ("#f1f5f9", "#c6dbef", "#7fb3d8", "#3b7fb9", "#18508c", "#08244d")
_DARK = ("#232a33", "#234562", "#2c6b95", "#4f9cc4", "#a3d3e4", "#f6fcfd")
_CELL, _LABEL_WIDTH, _PER_LINE, _LINE_GAP = 13.0, 92.0, 32, 9.0
_WIDE_CELL, _TALL_CELL, _ROW_LABEL = 74.0, 25.0, 120.0
_PLAIN_TOOLTIPS_FROM = 1500


def palette_css() -> str:
    """CSS for the shades ``s0`` to ``s19`` and the ink on each, as custom properties for a light and a dark page."""
    light, dark = (_properties(anchors) for anchors in (_LIGHT, _DARK))
    fills = "".join(
        f".s{step}{{fill:var(--s{step})}}.s{step}+text{{fill:var(--i{step})}}"
        f"td.s{step}{{background:var(--s{step});color:var(--i{step})}}"
        for step in range(STEPS)
    )
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{fills}\n"


def _properties(anchors: tuple[str, ...]) -> str:
    colours = [_blend(anchors, step) for step in range(STEPS)]
    return ";".join(f"--s{step}:{colour};--i{step}:{_ink(colour)}" for step, colour in enumerate(colours))


def _ink(colour: str) -> str:
    """Black or white, whichever reads better on `colour` (WCAG contrast: the two are equal at luminance 0.179)."""
    shares = [channel / 255 for channel in _channels(colour)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"


def shade(value: float | None, largest: float) -> str:
    """The class of the shade of `value` on a scale that ends at `largest`; ``none`` where there is no value."""
    if value is None or not math.isfinite(value):
        return "none"
    if largest <= 0:
        return "s0"
    share = math.sqrt(min(max(value / largest, 0.0), 1.0))
    return f"s{min(int(share * STEPS), STEPS - 1)}"


def draw_legend(grid: Grid) -> Markup:
    """The colour scale with numbers at its quarters."""
    width, left, step = 320.0, 16.0, 288.0 / STEPS
    parts = [
        element("rect", x=left + position * step, y=2.0, width=step + 0.3, height=12.0, class_=f"s{position}")
        for position in range(STEPS)
    ]
    for quarter in range(5):
        x = left + quarter / 4 * 288
        value = grid.largest * (quarter / 4) ** 2
        parts.append(element("line", x1=x, x2=x, y1=14.0, y2=18.0, class_="axis"))
        parts.append(element("text", format_number(value, 2), x=x, y=29.0, text_anchor="middle", class_="tick"))
    words = f"Colour scale of effect sizes from 0 to {format_number(grid.largest, 2)} standard deviations"
    return drawing(width, 33, words, *parts, class_="chart legend-scale")


def draw_block(block: Block, grid: Grid, anchors: Mapping[str, str] | None = None) -> Markup:
    """One site: units along x, `_PER_LINE` a line, attributes along y."""
    lines = math.ceil(len(block.rows) / _PER_LINE)
    rows_high = len(grid.attributes) * _CELL
    columns = min(len(block.rows), _PER_LINE)
    width = _LABEL_WIDTH + _PER_LINE * _CELL + 4
    height = lines * (rows_high + _LINE_GAP + 11.0) + 2
    plain = len(grid.rows) >= _PLAIN_TOOLTIPS_FROM
    parts: list[Markup] = []
    for line in range(lines):
        top = line * (rows_high + _LINE_GAP + 11.0)
        for position, attribute in enumerate(grid.attributes):
            parts.append(
                element(
                    "text",
                    shorten(attribute, 15),
                    x=_LABEL_WIDTH - 6,
                    y=top + position * _CELL + _CELL - 3,
                    text_anchor="end",
                    class_="cell-label",
                )
            )
        members = block.rows[line * _PER_LINE : (line + 1) * _PER_LINE]
        for offset, row in enumerate(members):
            parts.append(_draw_column(row, grid, _LABEL_WIDTH + offset * _CELL, top, plain, anchors or {}))
            last_label = len(members) - 1
            if offset % 8 == 0 or (offset == last_label and offset % 8 > 2):
                parts.append(
                    element(
                        "text",
                        row.short,
                        x=_LABEL_WIDTH + offset * _CELL + _CELL / 2,
                        y=top + rows_high + 10,
                        text_anchor="middle",
                        class_="tick",
                    )
                )
    words = (
        f"{block.site}: {len(block.rows)} components in {columns} columns by {len(grid.attributes)} attributes; "
        f"strongest {_strongest_words(block)}"
    )
    return drawing(width, height, words, *parts, class_="heat heat-block")


def draw_rows(rows: tuple[Row, ...], grid: Grid, label: str) -> Markup:
    """Few components: one a line, attributes along x, the number written in each cell."""
    width = _ROW_LABEL + len(grid.attributes) * _WIDE_CELL + 4
    height = 22 + len(rows) * _TALL_CELL + 2
    parts: list[Markup] = []
    for column, attribute in enumerate(grid.attributes):
        parts.append(
            element(
                "text",
                element("title", attribute),
                shorten(attribute, 11),
                x=_ROW_LABEL + column * _WIDE_CELL + _WIDE_CELL / 2,
                y=14.0,
                text_anchor="middle",
                class_="cell-label",
            )
        )
    for line, row in enumerate(rows):
        top = 22 + line * _TALL_CELL
        parts.append(
            element(
                "text",
                element("title", row.component),
                shorten(row.component, 18),
                x=_ROW_LABEL - 8,
                y=top + 16,
                text_anchor="end",
                class_="cell-label",
            )
        )
        for column, attribute in enumerate(grid.attributes):
            effect = row.effects.get(attribute)
            value = None if effect is None else effect.value
            x = _ROW_LABEL + column * _WIDE_CELL
            interval = "–" if effect is None else format_interval(effect.value, effect.lower, effect.upper)  # noqa: RUF001
            parts.append(
                element(
                    "g",
                    element("title", f"{row.component}, {attribute}: {interval} sd"),
                    element(
                        "rect",
                        x=x + 1,
                        y=top + 1,
                        width=_WIDE_CELL - 2,
                        height=_TALL_CELL - 2,
                        rx=3,
                        class_=shade(value, grid.largest),
                    ),
                    element(
                        "text",
                        cell_text(value),
                        x=x + _WIDE_CELL / 2,
                        y=top + 17,
                        text_anchor="middle",
                        class_="cell-text",
                    ),
                )
            )
    return drawing(width, height, label, *parts, class_="heat heat-rows")


def _draw_column(row: Row, grid: Grid, x: float, top: float, plain: bool, anchors: Mapping[str, str]) -> Markup:
    """One unit: a cell an attribute, one tooltip for all of them."""
    lines = [row.component]
    for attribute in grid.attributes:
        effect = row.effects.get(attribute)
        if effect is None:
            continue
        text = format_number(effect.value) if plain else format_interval(effect.value, effect.lower, effect.upper)
        lines.append(f"{attribute} {text}")
    cells = [
        # A path is half the bytes of a rect, and there are thousands of cells.
        element(
            "path",
            d=f"M{x:g} {top + position * _CELL:g}h12v12h-12z",
            class_=shade(_value(row, attribute), grid.largest),
        )
        for position, attribute in enumerate(grid.attributes)
    ]
    return element("g", element("title", "\n".join(lines)), *cells, data_opens=anchors.get(row.component))


def cell_text(value: float | None) -> str:
    """A number that fits a cell: effects below a thousandth of an sd are not distinguished there."""
    return "< 0.001" if value is not None and 0 < value < 0.001 else format_number(value, 2)


def _value(row: Row, attribute: str) -> float | None:
    effect = row.effects.get(attribute)
    return None if effect is None else effect.value


def _strongest_words(block: Block) -> str:
    best = max(block.rows, key=lambda row: row.strongest)
    known = {name: effect.value for name, effect in best.effects.items() if not is_absent(effect.value)}
    if not known:
        return "unknown"
    attribute = max(known, key=known.__getitem__)
    return f"{best.component} on {attribute}, {format_number(known[attribute])} sd"


def _blend(anchors: tuple[str, ...], step: int) -> str:
    """The colour at `step` of `STEPS`, linearly between the anchors."""
    place = step / (STEPS - 1) * (len(anchors) - 1)
    lower = min(int(place), len(anchors) - 2)
    share = place - lower
    first, second = (_channels(anchors[lower + offset]) for offset in (0, 1))
    mixed = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))
