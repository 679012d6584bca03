"""A second opinion on the edges between factors: structure learned from observation, and what interventions say to it.

Observation alone cannot orient the edges of an equivalence class and takes a hidden common cause for an edge, so that
where an intervention has shown an edge or its absence, it decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Final

from causalvae.alignment.identification import identification_distances
from causalvae.alignment.independencies import IndependenceTester
from causalvae.alignment.pgmpy_adapter import EquivalenceClass, equivalence_class, learn_class
from causalvae.alignment.types import Edge, LearnedStructure, PairCheck
from causalvae.graph import CausalGraph

ALPHA: Final = 0.01
# The tests of a dense graph of more factors take minutes.
_MOST_FACTORS = 8


def learn_structure(
    graph: CausalGraph, tester: IndependenceTester, pairs: Sequence[PairCheck]
) -> LearnedStructure | None:
    """Learn the structure of the factors from observation, and override it by interventions.

    Attributes take no part: they are functions of the factors, which breaks faithfulness.

    Parameters
    ----------
    graph : CausalGraph
        The declared graph.
    tester : IndependenceTester
        Of the data.
    pairs : sequence of PairCheck

    Returns
    -------
    LearnedStructure or None
        None where there are fewer than two factors that vary, or more than eight.
    """
    nodes = [name for name in graph.factors if name in tester.variables and not tester.variables[name].constant]
    if not 2 <= len(nodes) <= _MOST_FACTORS:
        return None
    declared = equivalence_class(nodes, [edge for edge in graph.edges if set(edge) <= set(nodes)])
    learned = learn_class(tester, nodes, ALPHA)
    overridden, final = _override(learned, nodes, pairs)
    whole = not final.undirected and all(
        _found(pairs, *pair) is not None and _found(pairs, *pair[::-1]) is not None for pair in combinations(nodes, 2)
    )
    if whole:
        own = EquivalenceClass(frozenset(edge for edge in graph.edges if set(edge) <= set(nodes)), frozenset())
        distances = identification_distances(final, own, nodes)
    else:
        distances = identification_distances(learned, declared, nodes)
    return LearnedStructure(
        directed=_sorted(learned.directed, nodes),
        undirected=_sorted((_in_order(pair, nodes) for pair in learned.undirected), nodes),
        distance=learned.distance(declared, nodes),
        alpha=ALPHA,
        samples=tester.samples,
        overridden=_sorted(overridden, nodes),
        final_directed=_sorted(final.directed, nodes),
        final_undirected=_sorted((_in_order(pair, nodes) for pair in final.undirected), nodes),
        identification=distances,
    )


def _override(
    learned: EquivalenceClass, nodes: Sequence[str], pairs: Sequence[PairCheck]
) -> tuple[set[Edge], EquivalenceClass]:
    """Pairs whose learned edge an intervention contradicts, and the graph with interventions in its place."""
    directed, undirected = set(learned.directed), set(learned.undirected)
    overridden: set[Edge] = set()
    for a, b in combinations(nodes, 2):
        forward, backward = _found(pairs, a, b), _found(pairs, b, a)
        shown = (a, b) if forward else (b, a) if backward else None
        edge = learned.between(a, b)
        if shown is None and (forward is None or backward is None):
            # Not decided; but a direction that is shown to be absent is not kept.
            if isinstance(edge, tuple) and _found(pairs, *edge) is False:
                directed.discard(edge)
                undirected.add(frozenset(edge))
                overridden.add((a, b))
            continue
        # An edge without a direction agrees with either one.
        if edge is not None and shown is not None and isinstance(edge, frozenset):
            undirected.discard(edge)
            directed.add(shown)
        elif edge != shown:
            overridden.add((a, b))
            directed -= {(a, b), (b, a)}
            undirected.discard(frozenset((a, b)))
            if shown is not None:
                directed.add(shown)
    return overridden, EquivalenceClass(frozenset(directed), frozenset(undirected))


def _found(pairs: Sequence[PairCheck], source: str, target: str) -> bool | None:
    """Whether an intervention shows a direct effect; None where it shows neither that nor its absence."""
    return next((check.found for check in pairs if (check.source, check.target) == (source, target)), None)


def _in_order(pair: frozenset[str], nodes: Sequence[str]) -> Edge:
    first, second = sorted(pair, key=nodes.index)
    return first, second


def _sorted(edges: Iterable[Edge], nodes: Sequence[str]) -> tuple[Edge, ...]:
    return tuple(sorted(edges, key=lambda edge: [nodes.index(name) for name in edge]))
