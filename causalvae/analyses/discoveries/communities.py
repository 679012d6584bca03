"""Functional modules: groups of members that feed each other more than their degrees explain.

Communities by Newman's modularity Q of the edges, weighted by the sizes of their effects, against rewirings that keep
every member's degrees and the sites that edges join (Maslov & Sneppen 2002): what wiring between layers gives by chance
is no module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import networkx as nx
import numpy as np

# Rewirings, and swaps for each edge in one.
_REWIRINGS: Final = 200
_SWAPS: Final = 10
# Fewer edges can be rewired in too few ways to tell anything.
FEWEST_EDGES: Final = 6

Edge = tuple[int, int, float]


@dataclass(frozen=True)
class Modules:
    """The communities of a graph of members.

    Parameters
    ----------
    communities : tuple of tuple of int
        The largest first.
    modularity : float
        Q.
    expected : float
        Mean Q of the rewirings.
    p_value : float
        (1 + rewirings with such a Q) / (rewirings + 1).
    rewirings : int
    """

    communities: tuple[tuple[int, ...], ...]
    modularity: float
    expected: float
    p_value: float
    rewirings: int


def find_modules(edges: Sequence[Edge], layers: Sequence[int], seed: int) -> Modules | None:
    """The communities of members that feed each other.

    Parameters
    ----------
    edges : sequence of (int, int, float)
        Source, target and the size of the effect, which is positive.
    layers : sequence of int
        The site of each member: only ends of edges between the same sites are exchanged.
    seed : int

    Returns
    -------
    Modules or None
        None where there are fewer than `FEWEST_EDGES` edges.
    """
    if len(edges) < FEWEST_EDGES:
        return None
    communities, modularity = _communities(edges)
    rng = np.random.default_rng(seed)
    by_chance = np.array([_communities(_rewire(edges, layers, rng))[1] for _ in range(_REWIRINGS)])
    as_high = int((by_chance >= modularity - 1e-9).sum())
    return Modules(
        communities, modularity, float(by_chance.mean()), (1 + as_high) / (_REWIRINGS + 1), _REWIRINGS
    )  # fmt: skip


def _communities(edges: Sequence[Edge]) -> tuple[tuple[tuple[int, ...], ...], float]:
    graph: Any = nx.Graph()
    for source, target, weight in edges:
        graph.add_edge(source, target, weight=weight)
    found = [set(group) for group in nx.community.greedy_modularity_communities(graph, weight="weight")]
    return tuple(tuple(sorted(group)) for group in found), float(nx.community.modularity(graph, found))


def _rewire(edges: Sequence[Edge], layers: Sequence[int], rng: np.random.Generator) -> list[Edge]:
    """The edges with targets exchanged between those that join the same sites; each keeps its source and weight."""
    targets = [target for _, target, _ in edges]
    present = {(source, target) for source, target, _ in edges}
    kinds = [(layers[source], layers[target]) for source, target, _ in edges]
    for first, second in rng.integers(0, len(edges), (_SWAPS * len(edges), 2)):
        new = (edges[first][0], targets[second]), (edges[second][0], targets[first])
        if kinds[first] != kinds[second] or present & {*new}:
            continue
        present -= {(edges[first][0], targets[first]), (edges[second][0], targets[second])}
        present |= {*new}
        targets[first], targets[second] = targets[second], targets[first]
    return [(source, target, weight) for (source, _, weight), target in zip(edges, targets, strict=True)]
