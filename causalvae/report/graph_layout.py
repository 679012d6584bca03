"""Where the nodes of a small directed graph go: layers from left to right, ordered by barycentres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[str, str]
Point = tuple[float, float]

_SWEEPS = 8


@dataclass(frozen=True)
class Layout:
    """Node centres and the points that each edge passes, its ends included, on a grid of layers and rows.

    Parameters
    ----------
    nodes : dict
        Name -> (layer, row); rows of a layer are spread evenly about zero.
    routes : dict
        Edge -> the points it passes: source, one for each layer that it crosses, target.
    layers : int
    rows : int
        Rows of the fullest layer.
    """

    nodes: dict[str, Point]
    routes: dict[Edge, tuple[Point, ...]]
    layers: int
    rows: int


def lay_out(nodes: Sequence[str], edges: Sequence[Edge], last: Sequence[str] = ()) -> Layout:
    """Place nodes so that edges run from left to right with few crossings.

    Layers are longest paths from the roots; the nodes in `last` share the deepest layer unless something follows
    them. Edges that cross a layer get a place in it, so that they pass between nodes and not under them. Orders
    within layers are improved by barycentre sweeps (Sugiyama et al. 1981), keeping the order with the fewest crossings.
    """
    known = list(dict.fromkeys(nodes))
    usable = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1] and {*edge} <= {*known}]
    depth = _layers(known, usable)
    deepest = max(depth.values(), default=0)
    followed = {source for source, _ in usable}
    for node in last:
        if node in depth and node not in followed:
            depth[node] = max(deepest, 1)

    forward = [edge for edge in usable if depth[edge[0]] < depth[edge[1]]]
    chains: dict[Edge, list[str]] = {}
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for node in known:
        columns[depth[node]].append(node)
    for edge in forward:
        chain = [edge[0]]
        for layer in range(depth[edge[0]] + 1, depth[edge[1]]):
            waypoint = f"\0{edge[0]}\0{edge[1]}\0{layer}"
            columns[layer].append(waypoint)
            chain.append(waypoint)
        chains[edge] = [*chain, edge[1]]

    links = [link for chain in chains.values() for link in pairwise(chain)]
    columns = _order(columns, links)
    places: dict[str, Point] = {}
    for layer, column in enumerate(columns):
        for row, node in enumerate(column):
            places[node] = (float(layer), row - (len(column) - 1) / 2)
    routes = {edge: tuple(places[node] for node in chain) for edge, chain in chains.items()}
    for edge in usable:
        routes.setdefault(edge, (places[edge[0]], places[edge[1]]))
    return Layout({node: places[node] for node in known}, routes, len(columns), max(map(len, columns), default=0))


def _layers(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Longest path from a root; nodes on a cycle are placed as if the edge that closes it were not there."""
    depth = dict.fromkeys(nodes, 0)
    waiting = {node: sum(target == node for _, target in edges) for node in nodes}
    left = list(nodes)
    while left:
        node = next((node for node in left if waiting[node] <= 0), left[0])
        left.remove(node)
        for source, target in edges:
            if source == node and target in left:
                depth[target] = max(depth[target], depth[node] + 1)
                waiting[target] -= 1
    return depth


def _order(columns: list[list[str]], links: Sequence[Edge]) -> list[list[str]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for source, target in links:
        after.setdefault(source, []).append(target)
        before.setdefault(target, []).append(source)
    best, fewest = [list(column) for column in columns], _crossings(columns, links)
    for sweep in range(_SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        layers = range(1, len(columns)) if sweep % 2 == 0 else range(len(columns) - 2, -1, -1)
        for layer in layers:
            fixed = columns[layer - 1 if sweep % 2 == 0 else layer + 1]
            rank = {node: row - (len(fixed) - 1) / 2 for row, node in enumerate(fixed)}
            middle = (len(columns[layer]) - 1) / 2
            centre = {
                node: _mean([rank[other] for other in neighbours.get(node, ()) if other in rank], row - middle)
                for row, node in enumerate(columns[layer])
            }
            columns[layer].sort(key=centre.__getitem__)
        crossings = _crossings(columns, links)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    return best


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(columns: Sequence[Sequence[str]], links: Sequence[Edge]) -> int:
    place = {node: (layer, row) for layer, column in enumerate(columns) for row, node in enumerate(column)}
    total = 0
    for index, (a, b) in enumerate(links):
        for c, d in links[index + 1 :]:
            if place[a][0] == place[c][0]:
                total += (place[a][1] - place[c][1]) * (place[b][1] - place[d][1]) < 0
    return total
