"""Plots as plain SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.floor import Floor
from benchmarks.scaling import Curve
from benchmarks.sweep import SweepResult

_WIDTH, _LABEL, _BAR, _GAP = 760, 210, 16, 6
_COLOURS = {"engine": "#0072b2", "peer": "#9a9a9a", "floor": "#d55e00"}
_LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def draw_sweeps(sweeps: Sequence[SweepResult], floors: Mapping[str, Floor]) -> str:
    """A bar an arm for each network, and the floor as a line across them."""
    parts: list[str] = []
    top = 10.0
    for sweep in sweeps:
        totals = {name: arm.total for name, arm in sweep.arms.items()}
        parts.append(_text(0, top + 12, f"{sweep.workload}: CPU seconds of the full sweep", weight="bold"))
        top += 20
        start = top
        top = _bars(parts, totals, top)
        floor = floors.get(sweep.workload)
        if floor is not None:
            x = _LABEL + floor.seconds * (_WIDTH - _LABEL - 70) / max(totals.values())
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{start - 2:.1f}" y2="{top:.1f}" stroke="{_COLOURS["floor"]}" '
                'stroke-width="2" stroke-dasharray="4 3"/>'
            )
            parts.append(_text(x + 4, top + 10, f"floor {floor.seconds:.1f}", colour=_COLOURS["floor"]))
        top += 28
    return _svg(_WIDTH, top, parts)


def draw_curves(curves: Sequence[Curve]) -> str:
    """CPU seconds against size on log-log axes, each curve from its first point on."""
    left, top, width, height = 70.0, 20.0, 420.0, 320.0
    xs = [size / curve.sizes[0] for curve in curves for size in curve.sizes]
    ys = [value / curve.seconds[0] for curve in curves for value in curve.seconds]
    x_end, y_end = math.log2(max(xs)), max(math.log2(max(ys)), math.log2(max(xs)))
    y_start = min(0.0, math.log2(min(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        down = (math.log2(y) - y_start) / (y_end - y_start)
        return left + width * math.log2(x) / x_end, top + height * (1 - down)

    parts = [f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#888"/>']
    for power in range(math.floor(x_end) + 1):
        x, _ = place(2.0**power, 2.0**y_start)
        parts.append(_text(x, top + height + 16, f"{2**power}x", anchor="middle"))
    for power in range(math.ceil(y_start), math.floor(y_end) + 1):
        _, y = place(1.0, 2.0**power)
        parts.append(_text(left - 6, y + 4, f"{2.0**power:g}x", anchor="end"))
    (x1, y1), (x2, y2) = place(1.0, 1.0), place(max(xs), max(xs))
    parts.append(
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#bbb" stroke-dasharray="3 3"/>'
    )
    for position, curve in enumerate(curves):
        colour = _LINES[position % len(_LINES)]
        points = [
            place(size / curve.sizes[0], value / curve.seconds[0])
            for size, value in zip(curve.sizes, curve.seconds, strict=True)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        label = f"{curve.arm}, {curve.name}: {curve.exponent.slope:.2f} ± {curve.exponent.error:.2f}"
        parts.append(_text(left + width + 14, top + 14 + 20 * position, label, colour=colour))
    parts.append(_text(left, top + height + 36, "size and CPU time against the smallest case; dashed: linear"))
    return _svg(880, top + height + 50, parts)


def draw_log_log(curves: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str) -> str:
    """Curves of (x, y) on log-log axes with a tick for each power of ten; points that are not positive are left out."""
    left, top, width, height = 70.0, 20.0, 420.0, 320.0
    points = {name: [(a, b) for a, b in curve if a > 0 and b > 0] for name, curve in curves.items()}
    ends = []
    for axis in (0, 1):
        logs = [math.log10(point[axis]) for curve in points.values() for point in curve]
        ends.append((math.floor(min(logs)), max(math.ceil(max(logs)), math.floor(min(logs)) + 1)))
    (x_low, x_high), (y_low, y_high) = ends

    def place(a: float, b: float) -> tuple[float, float]:
        across, up = (math.log10(a) - x_low) / (x_high - x_low), (math.log10(b) - y_low) / (y_high - y_low)
        return left + width * across, top + height * (1 - up)

    parts = [f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#888"/>']
    parts += [
        _text(place(10.0**power, 10.0**y_low)[0], top + height + 16, f"{10.0**power:g}", anchor="middle")
        for power in range(x_low, x_high + 1)
    ]
    parts += [
        _text(left - 6, place(10.0**x_low, 10.0**power)[1] + 4, f"{10.0**power:g}", anchor="end")
        for power in range(y_low, y_high + 1)
    ]
    for position, (name, curve) in enumerate(points.items()):
        colour = _LINES[position % len(_LINES)]
        placed = [place(a, b) for a, b in curve]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in placed]
        parts.append(_text(left + width + 14, top + 14 + 20 * position, name, colour=colour))
    parts.append(_text(left, top + height + 36, f"{y} against {x}"))
    return _svg(880, top + height + 50, parts)


def draw_bars(groups: Mapping[str, Mapping[str, float]]) -> str:
    """A bar for each value, group by group; names that begin with ``engine`` have the engine's colour."""
    parts: list[str] = []
    top = 10.0
    for title, values in groups.items():
        parts.append(_text(0, top + 12, title, weight="bold"))
        top = _bars(parts, values, top + 20) + 28
    return _svg(_WIDTH, top, parts)


def _bars(parts: list[str], values: Mapping[str, float], top: float) -> float:
    """Add the bars of one group; returns where they end."""
    scale = (_WIDTH - _LABEL - 70) / max(values.values())
    for name, value in values.items():
        kind = "engine" if name.startswith("engine") else "peer"
        width = max(value, 0) * scale
        parts.append(_text(_LABEL - 6, top + 12, name, anchor="end"))
        parts.append(f'<rect x="{_LABEL}" y="{top:.1f}" width="{width:.1f}" height="{_BAR}" fill="{_COLOURS[kind]}"/>')
        parts.append(_text(_LABEL + width + 4, top + 12, f"{value:.3g}"))
        top += _BAR + _GAP
    return top


@dataclass(frozen=True)
class Rate:
    """A rate of one group, with the ends of its interval; groups are drawn one below the other."""

    group: str
    label: str
    value: float
    lower: float
    upper: float


def draw_rates(rates: Sequence[Rate]) -> str:
    """Rates as points with intervals, from 0 to 1; a colour for each label."""
    labels = list(dict.fromkeys(rate.label for rate in rates))
    colours = {label: _LINES[position % len(_LINES)] for position, label in enumerate(labels)}
    parts: list[str] = []
    width, top = _WIDTH - _LABEL - 20, 30.0
    for position, label in enumerate(labels):
        parts.append(_text(_LABEL + 130 * position, 14, label, colour=colours[label]))
    for group in dict.fromkeys(rate.group for rate in rates):
        parts.append(_text(_LABEL - 10, top + 4, group, anchor="end"))
        for rate in rates:
            if rate.group == group:
                low, high, at = (_LABEL + width * share for share in (rate.lower, rate.upper, rate.value))
                colour = colours[rate.label]
                parts.append(
                    f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{top:.1f}" y2="{top:.1f}" stroke="{colour}" '
                    'stroke-width="2"/>'
                )
                parts.append(f'<circle cx="{at:.1f}" cy="{top:.1f}" r="4" fill="{colour}"/>')
        top += 22
    parts += [
        _text(_LABEL + width * tenth / 10, top + 8, f"{10 * tenth} %", anchor="middle") for tenth in range(0, 11, 2)
    ]
    return _svg(_WIDTH, top + 20, parts)


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )
