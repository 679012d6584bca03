"""Cycles and descendants in directed graphs, without networkx, whose import takes a tenth of a second."""

from __future__ import annotations

from collections.abc import Iterable

Edge = tuple[str, str]


def successors(edges: Iterable[Edge]) -> dict[str, tuple[str, ...]]:
    """The children of each node with at least one, in the order of the edges, without duplicates."""
    children: dict[str, dict[str, None]] = {}
    for parent, child in edges:
        children.setdefault(parent, {})[child] = None
    return {parent: tuple(found) for parent, found in children.items()}


def reachable(start: str, edges: Iterable[Edge]) -> frozenset[str]:
    """The descendants of `start`: nodes reached by a directed path of at least one edge."""
    children = successors(edges)
    found: set[str] = set()
    frontier = [start]
    while frontier:
        for child in children.get(frontier.pop(), ()):
            if child not in found:
                found.add(child)
                frontier.append(child)
    return frozenset(found)


def find_cycles(edges: Iterable[Edge]) -> tuple[tuple[str, ...], ...]:
    """Directed cycles, one for each back edge of a depth-first search; empty if and only if the graph is acyclic.

    Returns
    -------
    tuple of tuple of str
        The nodes of each cycle in order, the first repeated at the end; a self-loop is ``(a, a)``.
    """
    children = successors(edges)
    finished: set[str] = set()
    cycles: list[tuple[str, ...]] = []
    for root in children:
        if root in finished:
            continue
        trail: list[str] = [root]
        position = {root: 0}
        pending = [iter(children[root])]
        while trail:
            child = next(pending[-1], None)
            if child is None:
                pending.pop()
                node = trail.pop()
                del position[node]
                finished.add(node)
            elif child in position:
                cycles.append((*trail[position[child] :], child))
            elif child not in finished:
                position[child] = len(trail)
                trail.append(child)
                pending.append(iter(children.get(child, ())))
    return tuple(cycles)
