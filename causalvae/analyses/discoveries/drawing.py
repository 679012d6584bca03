"""The circuit drawn on the network's layers, and the curve of what the best candidates carry."""

from __future__ import annotations

import math

from markupsafe import Markup

from causalvae.analyses.discoveries.findings import Discovery, Member
from causalvae.analyses.discoveries.motifs import Measured
from causalvae.analyses.discoveries.words import label
from causalvae.circuits.types import Part
from causalvae.models.components import ComponentRef, EdgeRef
from causalvae.report.charts import frame, tick_text
from causalvae.report.numbers import format_interval, percent
from causalvae.report.svg import coordinate, drawing, element, shorten

_CELL, _GAP, _TOP = 13.0, 92.0, 34.0
_NAME_LIMIT = 18
Place = tuple[float, float]


def draw_circuit(found: Discovery) -> Markup:
    """Every candidate as a square in its layer, those of the circuit filled, and the edges that were shown.

    Of a circuit of edges all of these, between the units that they join.
    """
    columns = {site.site: max(1, math.ceil(math.sqrt(site.candidates / 3))) for site in found.sites}
    tallest = max(math.ceil(site.candidates / columns[site.site]) for site in found.sites)
    height = _TOP + tallest * _CELL + 30.0
    middle = _TOP + tallest * _CELL / 2
    places: dict[ComponentRef, Place] = {}
    squares: list[Markup] = []
    inside: dict[Part, Member] = {member.component: member for member in found.members}
    joined = {end for part in found.circuit if isinstance(part, EdgeRef) for end in (part.source, part.target)}
    left = 58.0
    titles: list[Markup] = [_end("input", 12.0, middle, "start")]
    for site in found.sites:
        across = columns[site.site]
        rows = math.ceil(site.candidates / across)
        top = middle - rows * _CELL / 2
        for position, ref in enumerate(site.refs):
            x, y = left + position % across * _CELL, top + position // across * _CELL
            places[ref] = (x + _CELL / 2 - 1, y + _CELL / 2 - 1)
            member = inside.get(ref)
            is_in = ref in joined or (member is not None and member.in_circuit)
            words = ref.label + (": in the circuit" if is_in else "")
            if member is not None and member.found_in is not None:
                words += f", found on {percent(member.found_in)} of halves"
            kind = "unit is-member" if is_in else "unit"
            squares.append(
                element(
                    "g", element("title", words),
                    element("rect", x=x, y=y, width=_CELL - 2, height=_CELL - 2, rx=2, class_=kind),
                )
            )  # fmt: skip
        centre = left + across * _CELL / 2
        titles.append(
            element(
                "text", element("title", site.site), shorten(site.site, _NAME_LIMIT), x=centre, y=16.0,
                text_anchor="middle", class_="tick",
            )
        )  # fmt: skip
        count = f"{site.members} of {site.candidates}"
        titles.append(element("text", count, x=centre, y=height - 8, text_anchor="middle", class_="tick"))
        left += across * _CELL + _GAP
    width = left + 40.0
    goal = (left - _GAP / 2, middle)
    titles.append(_end(found.outcome, goal[0] + 6, middle, "start"))
    ends: dict[Part | None, Place] = {None: goal}
    ends |= places.items()
    if found.edges:
        number = dict(zip(found.motif_members, found.motifs.singles, strict=False))
        drawn = [
            (part.label, (58.0 - 8, middle) if part.source is None else ends[part.source], ends[part.target],
             number[part])
            for part in found.circuit
            if isinstance(part, EdgeRef)
        ]  # fmt: skip
    else:
        refs = (*found.motif_members, None)
        drawn = [
            (f"{label(found, edge.source)} → {label(found, edge.target)}", ends[refs[edge.source]],
             ends[refs[edge.target]], edge.share)
            for edge in found.motifs.edges
            if edge.is_shown
        ]  # fmt: skip
    strongest = max((abs(share.value) for *_, share in drawn), default=1.0)
    lines = [_draw_edge(*line, strongest or 1.0) for line in drawn]
    spoken = (
        f"Circuit {found.name}: {len(found.circuit)} of {found.total} {found.candidates} in {len(found.sites)} layers"
    )
    return drawing(width, height, spoken, *squares, *lines, *titles, class_="chart circuit")


def _end(name: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", shorten(name, _NAME_LIMIT), x=x, y=y + 4, text_anchor=anchor, class_="row-label")


def _draw_edge(name: str, start: Place, end: Place, share: Measured, strongest: float) -> Markup:
    (x0, y0), (x1, y1) = start, end
    bend = (x1 - x0) * 0.45
    path = (
        f"M{coordinate(x0)} {coordinate(y0)}C{coordinate(x0 + bend)} {coordinate(y0)} "
        f"{coordinate(x1 - bend)} {coordinate(y1)} {coordinate(x1)} {coordinate(y1)}"
    )
    words = f"{name}: {format_interval(share.value, share.lower, share.upper)} of the effect"
    thickness = 0.7 + 3.3 * abs(share.value) / strongest
    return element(
        "g",
        element("title", words),
        element(
            "path", d=path, fill="none", stroke_width=coordinate(thickness),
            class_="sent" if share.value > 0 else "sent is-negative",
        ),
    )  # fmt: skip


def draw_curve(found: Discovery, width: float = 420.0) -> Markup:
    """The share that the best k of the candidates carry, for k on a logarithmic axis, with the circuit marked."""
    points = found.curve.points
    total = found.total
    own = max(len(found.circuit) / total, points[0].fraction)
    ends = [end for point in points for end in (point.lower, point.upper, point.share)]
    ticks, low, high = frame(min(0.0, *ends), max(1.0, *ends, found.share.upper))
    left, right, top, base = 46.0, width - 12.0, 12.0, 196.0
    span = math.log10(points[-1].fraction / points[0].fraction)

    def across(fraction: float) -> float:
        return left + math.log10(fraction / points[0].fraction) / span * (right - left)

    def up(share: float) -> float:
        return base - (share - low) / (high - low) * (base - top)

    line = "".join(
        f"{'M' if place == 0 else 'L'}{coordinate(across(point.fraction))} {coordinate(up(point.share))}"
        for place, point in enumerate(points)
    )
    parts = [
        element("line", x1=left, x2=right, y1=base, y2=base, class_="axis"),
        element("line", x1=left, x2=left, y1=top, y2=base, class_="axis"),
        element("line", x1=left, x2=right, y1=up(1.0), y2=up(1.0), class_="bound-edge"),
    ]
    parts += [
        element("text", tick_text(tick), x=left - 6, y=up(tick) + 3.5, text_anchor="end", class_="tick")
        for tick in ticks
    ]
    for point in points:
        x = across(point.fraction)
        parts.append(element("line", x1=x, x2=x, y1=base, y2=base + 3, class_="axis"))
        parts.append(
            element("line", x1=x, x2=x, y1=up(point.lower), y2=up(point.upper), class_="interval", stroke_width=1)
        )
        words = f"best {point.size} of {total}: {format_interval(point.share, point.lower, point.upper)}"
        parts.append(
            element("g", element("title", words), element("circle", cx=x, cy=up(point.share), r=3.5, class_="point"))
        )
    parts += [
        element("text", f"{100 * fraction:g} %", x=across(fraction), y=base + 15, text_anchor="middle", class_="tick")
        for fraction in (0.001, 0.01, 0.1, 1.0)
    ]
    parts.append(element("path", d=line, fill="none", class_="observed", stroke_width=1.5))
    share = format_interval(found.share.value, found.share.lower, found.share.upper)
    parts.append(
        element(
            "g", element("title", f"the circuit: {share}"),
            element("rect", x=across(own) - 4, y=up(found.share.value) - 4, width=8, height=8, class_="is-member"),
        )
    )  # fmt: skip
    parts.append(
        element(
            "text",
            "share of candidates, best first",
            x=(left + right) / 2,
            y=base + 30,
            text_anchor="middle",
            class_="tick",
        )
    )
    spoken = f"Share of the effect that the best candidates carry; the circuit of {len(found.circuit)} carries {share}"
    return drawing(width, base + 36, spoken, *parts, class_="chart curve")
