"""A circuit drawn on the network's layers: every layer with its units, those of the circuit filled."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from causalvae.circuits.types import Circuit, Part
from causalvae.models.components import ComponentRef, EdgeRef
from causalvae.report.svg import coordinate, drawing, element, shorten
from causalvae.results import LayerSummary

_CELL, _SIDE, _GAP, _TOP = 9.0, 7.5, 34.0, 36.0
Point = tuple[float, float]
_MOST_LAYERS, _MOST_UNITS, _ROWS, _NAME_LIMIT = 10, 64, 16, 14
# Room for a character of a label.
_NAME_WIDTH = 7.5


def draw_layers(layers: Sequence[LayerSummary], circuit: Circuit, treatment: str, outcome: str) -> Markup | None:
    """Layers from left to right between the treatment and the outcome; None where none of them holds the circuit.

    Layers of many units are drawn as one box, and the circuit's units in it at their places.
    """
    inside: dict[str, set[int] | None] = {}
    for ref in (ref for part in circuit for ref in _ends(part) if ref is not None):
        before = inside.get(ref.site, set())
        inside[ref.site] = None if ref.units is None or before is None else {*before, *ref.units}
    shown = _chosen(layers, inside)
    if not shown or not any(layer.site in inside for layer in shown):
        return None
    tall = _TOP + _ROWS * _CELL
    label = shorten(treatment, _NAME_LIMIT)
    start = max(84.0, _NAME_WIDTH * len(label))
    middle, left = _TOP + _ROWS * _CELL / 2, start + 8
    ends = [element("text", element("title", treatment), label, x=start, y=middle + 4,
                    text_anchor="end", class_="row-label")]  # fmt: skip
    squares: list[Markup] = []
    at: dict[str, dict[int, Point]] = {}
    for number, layer in enumerate(shown):
        held = inside.get(layer.site, set())
        across = max(1, math.ceil(min(layer.units, _MOST_UNITS) / _ROWS))
        count = min(layer.units, across * _ROWS)
        rows = math.ceil(count / across)
        top = middle - rows * _CELL / 2
        places: dict[tuple[float, float], list[int]] = {}
        for unit in range(layer.units):
            cell = unit * count // layer.units
            places.setdefault((left + cell % across * _CELL, top + cell // across * _CELL), []).append(unit)
        empty: list[str] = []
        for (x, y), units in places.items():
            own = units if held is None else [unit for unit in units if unit in held]
            square = f"M{x:g} {y:g}h{_SIDE:g}v{_SIDE:g}h-{_SIDE:g}z"
            if not own:
                empty.append(square)
                continue
            title = element("title", f"{layer.site}[{_span(units)}]: in the circuit")
            squares.append(element("g", title, element("path", d=square, class_="unit is-member")))
            at.setdefault(layer.site, {}).update(dict.fromkeys(own, (x + _CELL / 2, y + _CELL / 2)))
        if empty:
            # One path for all of them: a layer has hundreds of units, and a page many claims.
            title = element("title", f"{layer.site}: {layer.units} units")
            squares.append(element("g", title, element("path", d="".join(empty), class_="unit")))
        centre = left + across * _CELL / 2
        size = layer.units if held is None else len(held)
        ends.append(element("text", element("title", layer.site), shorten(layer.site.rsplit(".", 1)[-1], _NAME_LIMIT),
                            x=centre, y=24.0 if number % 2 else 12.0, text_anchor="middle", class_="tick"))  # fmt: skip
        ends.append(element("text", f"{size} of {layer.units}", x=centre, y=tall + 18, text_anchor="middle",
                            class_="tick"))  # fmt: skip
        left += across * _CELL + _GAP
    end = left - _GAP + 24
    ends.append(element("text", element("title", outcome), shorten(outcome, _NAME_LIMIT), x=end + 4, y=middle + 4,
                        text_anchor="start", class_="row-label"))  # fmt: skip
    begin, stop = (start + 4, middle), (end, middle)
    lines: list[Markup] = []
    for part in circuit:
        if isinstance(part, EdgeRef):
            source, target = (None if ref is None else _middle(_places(ref, at)) for ref in _ends(part))
            lines.append(_line(source or begin, target or stop))
        else:
            lines += [line for place in _places(part, at) for line in (_line(begin, place), _line(place, stop))]
    named = ", ".join(part.label for part in circuit)
    words = f"The circuit {named} on {len(shown)} layers of the network, from {treatment} to {outcome}"
    return drawing(end + 110, tall + 26, words, *lines, *squares, *ends, class_="chart circuit")


def _ends(part: Part) -> tuple[ComponentRef | None, ...]:
    """The components that a part of a circuit names."""
    return (part.source, part.target) if isinstance(part, EdgeRef) else (part,)


def _places(ref: ComponentRef, at: dict[str, dict[int, Point]]) -> list[Point]:
    """Where the units of a component are drawn, each place once."""
    held = at.get(ref.site, {})
    return list(dict.fromkeys(place for unit, place in held.items() if ref.units is None or unit in ref.units))


def _middle(places: list[Point]) -> Point | None:
    return (sum(x for x, _ in places) / len(places), sum(y for _, y in places) / len(places)) if places else None


def _chosen(layers: Sequence[LayerSummary], inside: dict[str, set[int] | None]) -> list[LayerSummary]:
    """Every layer that holds a part of the circuit, and as many others as fit, evenly over the network."""
    held = [place for place, layer in enumerate(layers) if layer.site in inside]
    # The value before an activation function, and a parameter of the posterior, are drawn if the circuit names them.
    others = [
        place
        for place, layer in enumerate(layers)
        if layer.site not in inside and "@" not in layer.site and not layer.site.startswith("latent.")
    ]
    room = max(0, _MOST_LAYERS - len(held))
    step = max(1.0, len(others) / room) if room else math.inf
    kept = [others[int(k * step)] for k in range(min(room, len(others)))] if room else []
    return [layers[place] for place in sorted({*held, *kept})]


def _span(units: list[int]) -> str:
    return str(units[0]) if len(units) == 1 else f"{units[0]}:{units[-1] + 1}"


def _line(start: Point, stop: Point) -> Markup:
    (x0, y0), (x1, y1) = start, stop
    bend = (x1 - x0) * 0.45
    path = (
        f"M{coordinate(x0)} {coordinate(y0)}C{coordinate(x0 + bend)} {coordinate(y0)} "
        f"{coordinate(x1 - bend)} {coordinate(y1)} {coordinate(x1)} {coordinate(y1)}"
    )
    return element("path", d=path, fill="none", class_="sent", stroke_width=1.2)
