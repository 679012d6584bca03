"""The small drawings of a verdict: an interval against its bound, and the errors of other circuits."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from causalvae.circuits.types import ClaimTest, Failing, Rivals
from causalvae.report.numbers import format_bound, format_interval, format_number, is_absent
from causalvae.report.svg import drawing, element, shorten
from causalvae.spec.quantity import QUANTITIES

_BINS = 24


def draw_interval(test: ClaimTest, width: float = 300) -> Markup | None:
    """The estimate and interval of a test on a number line, the values that meet its bound shaded.

    None where there is no value to draw.
    """
    if is_absent(test.value) or math.isinf(test.value):
        return None
    lowest, highest = test.at_least, test.at_most
    lower = test.value if test.lower is None or math.isnan(test.lower) else test.lower
    upper = test.value if test.upper is None or math.isnan(test.upper) else test.upper
    quantity = QUANTITIES.find(test.name)
    # The fit, which no claim names, is a share.
    limits = quantity.limits if quantity is not None else (0.0, 1.0) if test.unit == "share" else (0.0,)
    anchors = [number for number in (test.value, lower, upper, lowest, highest, *limits) if number is not None]
    ticks, start, stop = frame(min(anchors), max(anchors))
    left, right, line = 10.0, width - 10.0, 17.0

    def place(value: float) -> float:
        return left + (value - start) / (stop - start) * (right - left)

    parts: list[Markup] = []
    if lowest is not None or highest is not None:
        begin = place(start if lowest is None else lowest)
        end = place(stop if highest is None else highest)
        parts.append(
            element("rect", x=begin, y=4.0, width=max(end - begin, 1.0), height=line * 2 - 8, class_="bound-region")
        )
        parts.extend(
            element("line", x1=place(edge), x2=place(edge), y1=2.0, y2=32.0, class_="bound-edge")
            for edge in (lowest, highest)
            if edge is not None
        )
    parts.append(element("line", x1=left, x2=right, y1=32.0, y2=32.0, class_="axis"))
    for tick in ticks:
        parts.append(element("line", x1=place(tick), x2=place(tick), y1=32.0, y2=35.0, class_="axis"))
        parts.append(element("text", tick_text(tick), x=place(tick), y=45.0, text_anchor="middle", class_="tick"))
    parts.append(element("line", x1=place(lower), x2=place(upper), y1=line, y2=line, class_="interval"))
    parts.extend(
        element("line", x1=place(end), x2=place(end), y1=line - 5, y2=line + 5, class_="interval")
        for end in (lower, upper)
    )
    parts.append(element("circle", cx=place(test.value), cy=line, r=4.5, class_="point"))
    words = f"{format_interval(test.value, test.lower, test.upper)} against the bound {format_bound(lowest, highest)}"
    return drawing(width, 49, words, *parts, class_="chart chart-interval")


def draw_rivals(rivals: Rivals, width: float = 300) -> Markup | None:
    """The histogram of other circuits' relative errors with the claimed one marked; None where there is nothing."""
    own = None if rivals.own is None else rivals.own.error if rivals.own.error is not None else rivals.own.error_removed
    values = [value for value in rivals.errors if math.isfinite(value)]
    if not values or own is None:
        return None
    ticks, start, stop = frame(min(*values, own, 0.0), max(*values, own, 1.0))
    counts = count_bins(values, start, stop, _BINS)
    left, right, top, base = 10.0, width - 10.0, 20.0, 76.0
    bar = (right - left) / _BINS
    parts: list[Markup] = []
    for position, count in enumerate(counts):
        if count:
            height = max(1.5, (base - top) * count / max(counts))
            parts.append(
                element("rect", x=left + position * bar, y=base - height, width=bar - 0.6, height=height, class_="bar")
            )
    parts.append(element("line", x1=left, x2=right, y1=base, y2=base, class_="axis"))
    for tick in ticks:
        x = left + (tick - start) / (stop - start) * (right - left)
        parts.append(element("line", x1=x, x2=x, y1=base, y2=base + 3, class_="axis"))
        parts.append(element("text", tick_text(tick), x=x, y=base + 13, text_anchor="middle", class_="tick"))
    mark = left + (own - start) / (stop - start) * (right - left)
    parts.append(element("line", x1=mark, x2=mark, y1=top - 4, y2=base, class_="observed"))
    anchor = "end" if mark > width * 0.75 else "start" if mark < width * 0.25 else "middle"
    label = f"this circuit {format_number(own, 2)}"
    parts.append(element("text", label, x=mark, y=11.0, text_anchor=anchor, class_="observed-label"))
    words = f"Relative errors of {len(values)} other circuits; this circuit at {format_number(own, 2)}"
    return drawing(width, 93, words, *parts, class_="chart chart-null")


def draw_pairs(failing: Failing, outcome: str) -> Markup | None:
    """What the circuit alone brings in each pair, over the whole effect of that pair; None where no pair is kept.

    The line is where both are equal; a pair in which the circuit fails is drawn as a cross.
    """
    points = [
        (te, nie)
        for te, nie in zip(failing.totals, failing.indirects, strict=True)
        if math.isfinite(te) and math.isfinite(nie)
    ]
    if not points:
        return None
    ticks, start, stop = frame(min(0.0, *map(min, points)), max(0.0, *map(max, points)))
    left, right, top, base = 68.0, 278.0, 8.0, 218.0

    def across(value: float) -> float:
        return left + (value - start) / (stop - start) * (right - left)

    def up(value: float) -> float:
        return base - (value - start) / (stop - start) * (base - top)

    parts = [
        element("line", x1=left, x2=right, y1=base, y2=base, class_="axis"),
        element("line", x1=left, x2=left, y1=top, y2=base, class_="axis"),
        element("line", x1=across(start), x2=across(stop), y1=up(start), y2=up(stop), class_="bound-edge"),
    ]
    for tick in ticks:
        parts.append(element("text", tick_text(tick), x=across(tick), y=base + 14, text_anchor="middle", class_="tick"))
        parts.append(element("text", tick_text(tick), x=left - 6, y=up(tick) + 3.5, text_anchor="end", class_="tick"))
    lost = 0
    for te, nie in points:
        x, y = across(te), up(nie)
        if abs(te - nie) > failing.missed * max(abs(te), failing.floor):
            lost += 1
            cross = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"
            parts.append(element("path", d=cross, class_="pair-lost"))
        else:
            parts.append(element("circle", cx=x, cy=y, r=2.4, class_="pair-kept"))
    middle = (left + right) / 2
    unit = "" if failing.unit == "" else f" ({failing.unit})"
    parts.append(
        element("text", f"total effect on {shorten(outcome, 24)}{unit}", x=middle, y=base + 30, text_anchor="middle",
                class_="tick")
    )  # fmt: skip
    parts.append(
        element("text", f"through the circuit alone{unit}", x=10.0, y=(top + base) / 2, text_anchor="middle",
                class_="tick", transform=f"rotate(-90 10 {(top + base) / 2:g})")
    )  # fmt: skip
    words = f"Effects on {outcome} of {len(points)} pairs, total and through the circuit alone; {lost} lie off the line"
    return drawing(290, base + 36, words, *parts, class_="chart pairs")


def count_bins(values: Sequence[float], start: float, stop: float, bins: int) -> list[int]:
    """How many of `values` fall into each of `bins` equal bins of [start, stop]."""
    counts = [0] * bins
    for value in values:
        position = int((value - start) / (stop - start) * bins)
        counts[min(max(position, 0), bins - 1)] += 1
    return counts


def frame(lowest: float, highest: float) -> tuple[list[float], float, float]:
    """An axis that holds [lowest, highest] and little more: its ticks, its start and its end."""
    if highest <= lowest:
        highest = lowest + (abs(lowest) or 1.0)
    ticks = [tick for tick in nice_ticks(lowest, highest) if lowest <= tick <= highest]
    room = (highest - lowest) * 0.02
    return ticks, lowest - room, highest + room


def nice_ticks(lowest: float, highest: float, about: int = 5) -> list[float]:
    """Round numbers that cover [lowest, highest], about `about` of them."""
    if highest <= lowest:
        highest = lowest + (abs(lowest) or 1.0)
    raw = (highest - lowest) / (about - 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * 0.999)
    first, last = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
    return [position * step for position in range(first, last + 1)]


def tick_text(tick: float) -> str:
    """A tick's number without trailing zeros."""
    return f"{round(tick, 10):g}".replace("-", "\u2212")
