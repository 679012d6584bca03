"""The declared graph and the recovered one, drawn on one layout so that they can be compared at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from causalvae.alignment.types import Alignment, PairCheck
from causalvae.report.alignment_words import pair_words
from causalvae.report.blocks import Spot
from causalvae.report.glossary import SYMBOLS
from causalvae.report.graph_layout import Edge, Layout, Point, lay_out
from causalvae.report.svg import coordinate, drawing, element, shorten
from causalvae.results import GraphSummary

_NODE_WIDTH, _NODE_HEIGHT, _ROW, _GAP, _MARGIN = 142.0, 40.0, 58.0, 112.0, 10.0
_NAME_LIMIT, _WHERE_LIMIT = 14, 20
_DISC = 6.0
_MARKED = ("missing", "spurious", "undecided")


State = Literal["right", "wrong", "open", "untested"]
STATE_SYMBOLS: dict[State, str] = {"right": "✓", "wrong": "✗", "open": "?", "untested": "–"}  # noqa: RUF001
COLUMNS = ("data", "network", "mapping")
_STATES: dict[str, State] = {
    **dict.fromkeys(("present", "absent", "kept", "none"), "right"),
    **dict.fromkeys(("missing", "undeclared", "reversed", "lost", "added"), "wrong"),
    "undecided": "open",
}


@dataclass(frozen=True)
class DrawnEdge:
    """An edge to draw: its ends, how it is styled, what a reader sees when pointing at it, and its state in `COLUMNS`.

    A graph that is only declared has no states.
    """

    source: str
    target: str
    style: str
    tooltip: str
    states: tuple[State, ...] = ()

    @property
    def state_words(self) -> str:
        """The states in words and symbols; empty where there are none."""
        return ", ".join(f"{name} {STATE_SYMBOLS[state]}" for name, state in zip(COLUMNS, self.states, strict=False))


def declared_edges(graph: GraphSummary) -> list[DrawnEdge]:
    """The edges as declared."""
    return [DrawnEdge(source, target, "declared", f"{source} → {target}: declared") for source, target in graph.edges]


def recovered_edges(graph: GraphSummary, alignment: Alignment) -> list[DrawnEdge]:
    """The pairs that are declared or depart, each by the first of graph, network and mapping that departs.

    A declared edge that was not tested is kept, as ``untested``.
    """
    checks = {(check.source, check.target): check for check in alignment.pairs}
    drawn = [
        DrawnEdge(source, target, "untested", f"{source} → {target}: declared, not tested by an intervention")
        for source, target in graph.edges
        if (source, target) not in checks
    ]
    for (source, target), check in checks.items():
        if check.declared or check.status not in ("absent", "untested"):
            drawn.append(DrawnEdge(source, target, check.status, _describe(check), edge_states(check)))
    return drawn


def edge_states(check: PairCheck) -> tuple[State, State, State]:
    """Whether the data are as declared, the network as the data, and the mapping as the network."""
    links = [None if link is None else link.status for link in (check.network, check.mapping)]
    data, network, mapping = (_STATES.get(status or "", "untested") for status in (check.graph, *links))
    return data, network, mapping


def shared_layout(graph: GraphSummary, alignment: Alignment | None) -> Layout:
    """One layout for both drawings."""
    edges: list[Edge] = list(graph.edges)
    if alignment is not None:
        edges += [(edge.source, edge.target) for edge in recovered_edges(graph, alignment)]
    return lay_out([*graph.factors, *graph.attributes], edges, last=graph.attributes)


def _size(layout: Layout) -> tuple[float, float]:
    """Width and height of a drawing."""
    width = 2 * _MARGIN + layout.layers * _NODE_WIDTH + max(0, layout.layers - 1) * _GAP
    return width, 2 * _MARGIN + max(layout.rows, 1) * _ROW


def _points(edge: DrawnEdge, layout: Layout) -> list[Point]:
    """The points that an edge passes; none if it is not laid out."""
    middle = _size(layout)[1] / 2
    return [_place(point, middle) for point in layout.routes.get((edge.source, edge.target), ())]


def _place(point: Point, middle: float) -> Point:
    return _MARGIN + _NODE_WIDTH / 2 + point[0] * (_NODE_WIDTH + _GAP), middle + point[1] * _ROW


def edge_spots(edges: Iterable[DrawnEdge], layout: Layout, anchors: Mapping[Edge, str]) -> tuple[Spot, ...]:
    """Where the marks of the edges are that open a panel."""
    width, height = _size(layout)
    found = []
    for edge in edges:
        points, anchor = _points(edge, layout), anchors.get((edge.source, edge.target))
        if points and anchor is not None:
            x, y = _mark_place(edge, points)
            label = f"{edge.source} → {edge.target}: {edge.style}" + (f" ({edge.state_words})" if edge.states else "")
            found.append(Spot(anchor, label, 100 * x / width, 100 * y / height))
    return tuple(found)


def draw_graph(
    graph: GraphSummary,
    edges: Iterable[DrawnEdge],
    layout: Layout,
    label: str,
    anchors: Mapping[Edge, str] | None = None,
) -> Markup:
    """Draw nodes at their places with `edges` between them.

    Parameters
    ----------
    graph : GraphSummary
    edges : iterable of DrawnEdge
    layout : Layout
    label : str
        Names the drawing.
    anchors : mapping, optional
        Edge -> the panel that it opens.
    """
    width, height = _size(layout)
    lines: list[Markup] = []
    marks: list[Markup] = []
    for edge in edges:
        points = _points(edge, layout)
        if not points:
            continue
        opens = (anchors or {}).get((edge.source, edge.target))
        lines.append(_draw_edge(edge, points, opens=opens))
        if edge.states:
            marks.append(_draw_states(edge, points))
        elif edge.style in _MARKED:
            marks.append(_draw_mark(edge, points))
    nodes = [
        _draw_node(name, "factor", graph.mapping, _place(layout.nodes[name], height / 2))
        for name in dict.fromkeys(graph.factors)
        if name in layout.nodes
    ]
    nodes += [
        _draw_node(name, "attribute", {}, _place(layout.nodes[name], height / 2))
        for name in dict.fromkeys(graph.attributes)
        if name in layout.nodes and name not in graph.factors
    ]
    return drawing(width, height, label, *lines, *marks, *nodes, class_="graph")


def draw_key(style: str) -> Markup:
    """A short line in the style of an edge, for the legend."""
    edge = DrawnEdge("", "", style, "")
    points = [(2.0, 9.0), (50.0, 9.0)]
    parts = [_draw_edge(edge, points, inset=0.0)]
    if style in _MARKED:
        parts.append(_draw_mark(edge, points))
    return drawing(54, 18, style, *parts, class_="graph-key")


def draw_state_key() -> Markup:
    """The three marks of an edge, for the legend: one state of each kind but the last."""
    edge = DrawnEdge("", "", "supported", "", ("right", "wrong", "open"))
    points = [(2.0, 9.0), (50.0, 9.0)]
    return drawing(54, 18, "states", _draw_edge(edge, points, 0.0), _draw_states(edge, points), class_="graph-key")


def _draw_edge(
    edge: DrawnEdge, points: list[Point], inset: float = _NODE_WIDTH / 2, opens: str | None = None
) -> Markup:
    """A curve through `points` that leaves and enters nodes horizontally, with an arrow head drawn at its end."""
    (x0, y0), (xn, yn) = points[0], points[-1]
    backward = xn < x0
    side = -inset if backward else inset
    path = [(x0 + side, y0), *points[1:-1], (xn - side, yn)]
    steps = [f"M{_pair(path[0])}"]
    for (ax, ay), (bx, by) in pairwise(path):
        bend = (bx - ax) * 0.45
        steps.append(f"C{_pair((ax + bend, ay))} {_pair((bx - bend, by))} {_pair((bx, by))}")
    tip, back = path[-1], -7.0 if not backward else 7.0
    head = f"M{_pair(tip)}L{_pair((tip[0] + back, tip[1] - 4))}L{_pair((tip[0] + back, tip[1] + 4))}Z"
    children = [element("path", d="".join(steps), class_="line"), element("path", d=head, class_="head")]
    if edge.tooltip:
        children.insert(0, element("title", edge.tooltip))
    if opens is not None:
        # A line of two pixels is hard to hit.
        children.append(element("path", d="".join(steps), class_="hit"))
    return element("g", *children, class_=f"edge edge-{edge.style}", data_opens=opens)


def _draw_states(edge: DrawnEdge, points: list[Point]) -> Markup:
    """A small disc for each of data, network and mapping, left to right, with the symbol of its state."""
    x, y = _mark_place(edge, points)
    discs: list[Markup] = []
    for number, state in enumerate(edge.states):
        centre = x + (number - 1) * 2 * _DISC
        parts = (
            element("circle", cx=centre, cy=y, r=_DISC),
            element("text", STATE_SYMBOLS[state], x=centre, y=y + 3, text_anchor="middle"),
        )
        discs.append(element("g", *parts, class_=f"state state-{state}"))
    return element("g", element("title", f"{edge.tooltip} ({edge.state_words})"), *discs, class_="states")


def _draw_mark(edge: DrawnEdge, points: list[Point]) -> Markup:
    """The symbol of a status in a small disc on the edge: colour is not the only sign."""
    x, y = _mark_place(edge, points)
    return element(
        "g",
        element("title", edge.tooltip or edge.style),
        element("circle", cx=x, cy=y, r=7.5),
        element("text", SYMBOLS[edge.style], x=x, y=y + 4, text_anchor="middle"),
        class_=f"mark mark-{edge.style}",
    )


def _mark_place(edge: DrawnEdge, points: list[Point]) -> Point:
    """Where on an edge its marks are."""
    # Two edges between the same layers meet at their middles when they cross, so marks sit nearer to the target.
    (ax, ay), (bx, by) = points[-2], points[-1]
    along = 0.5 if ay == by else 0.62
    start, stop = (ax, bx) if not edge.source else (ax + _NODE_WIDTH / 2, bx - _NODE_WIDTH / 2)
    return _on_curve((start, ay), (stop, by), along)


def _on_curve(start: Point, stop: Point, t: float) -> Point:
    """The point at `t` of the curve that `_draw_edge` draws between two points."""
    bend = (stop[0] - start[0]) * 0.45
    xs = (start[0], start[0] + bend, stop[0] - bend, stop[0])
    ys = (start[1], start[1], stop[1], stop[1])
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return (
        sum(weight * x for weight, x in zip(weights, xs, strict=True)),
        sum(weight * y for weight, y in zip(weights, ys, strict=True)),
    )


def _draw_node(name: str, kind: str, mapping: Mapping[str, tuple[str, ...]], centre: Point) -> Markup:
    x, y = centre
    where = ", ".join(mapping.get(name, ()))
    tooltip = f"{kind} {name}" + (f", mapped to {where}" if where else "")
    parts = [
        element("title", tooltip),
        element(
            "rect",
            x=x - _NODE_WIDTH / 2,
            y=y - _NODE_HEIGHT / 2,
            width=_NODE_WIDTH,
            height=_NODE_HEIGHT,
            rx=8 if kind == "attribute" else 20,
        ),
        element(
            "text",
            shorten(name, _NAME_LIMIT),
            x=x,
            y=y - 2 if where else y + 4.5,
            text_anchor="middle",
            class_="node-name",
        ),
    ]
    if where:
        parts.append(
            element("text", shorten(where, _WHERE_LIMIT), x=x, y=y + 12, text_anchor="middle", class_="node-where")
        )
    return element("g", *parts, class_=f"node node-{kind}")


def _describe(check: PairCheck) -> str:
    declared = "declared" if check.declared else "not declared"
    return f"{check.source} → {check.target}: {check.status} ({declared}). {pair_words(check)}"


def _pair(point: Point) -> str:
    return f"{coordinate(point[0])} {coordinate(point[1])}"
