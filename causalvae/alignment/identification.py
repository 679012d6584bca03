"""Adjustment identification distances, where the optional package gadjid is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from causalvae.alignment.pgmpy_adapter import EquivalenceClass


def identification_distances(
    true: EquivalenceClass, guess: EquivalenceClass, nodes: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    """The share of ordered pairs of nodes for which adjustment by `guess` is wrong under `true`.

    Parent, ancestor and optimal adjustment (Henckel, Würtzen and Weichwald 2024, arXiv 2402.08616).

    Returns
    -------
    tuple of (name, share)
        Empty where gadjid is not installed, or `guess` has a circle.
    """
    if find_spec("gadjid") is None:
        return ()
    import gadjid
    import networkx as nx

    # Tests that contradict one another may leave a circle of directions, for which there is no adjustment.
    if not nx.is_directed_acyclic_graph(nx.DiGraph(list(guess.directed))):
        return ()
    matrices = [_matrix(graph, nodes) for graph in (true, guess)]
    kinds = {"parent": gadjid.parent_aid, "ancestor": gadjid.ancestor_aid, "optimal": gadjid.oset_aid}
    return tuple(
        (name, float(distance(*matrices, edge_direction="from row to column")[0])) for name, distance in kinds.items()
    )


def _matrix(graph: EquivalenceClass, nodes: Sequence[str]) -> npt.NDArray[np.int8]:
    """1 from row to column for an edge with a direction, 2 for one without."""
    found = np.zeros((len(nodes), len(nodes)), dtype=np.int8)
    for i, parent in enumerate(nodes):
        for j, child in enumerate(nodes):
            edge = graph.between(parent, child) if i != j else None
            if isinstance(edge, frozenset):
                found[i, j] = 2 * (i < j)
            elif edge == (parent, child):
                found[i, j] = 1
    return found
