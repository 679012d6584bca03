"""Rival graphs, judged by what the run has found already, and which of them it cannot tell apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from causalvae.alignment.independencies import IndependenceTester, Rule, causes_first, check_independencies
from causalvae.alignment.pgmpy_adapter import equivalence_class
from causalvae.alignment.types import Edge, GraphCount, JudgedGraph, PairCheck
from causalvae.graph import CausalGraph

Relations = Callable[[CausalGraph], Collection[Edge]]


def judge_rivals(
    graph: CausalGraph,
    rivals: Mapping[str, Sequence[Edge]],
    relations: Relations,
    pairs: Sequence[PairCheck],
    tester: IndependenceTester,
    rule: Rule,
) -> tuple[JudgedGraph, ...]:
    """The declared graph and its rivals, side by side; nothing is run again.

    Parameters
    ----------
    graph : CausalGraph
        The declared one.
    rivals : mapping
        Name -> edges, between the same nodes.
    relations : callable
        From a graph to the pairs that it gives a direct effect; see `direct_relations`.
    pairs : sequence of PairCheck
        What interventions have shown.
    tester : IndependenceTester
        Of the data.
    rule : Rule

    Returns
    -------
    tuple of JudgedGraph
        The declared graph first, under the empty name; empty where there are no rivals.
    """
    if not rivals:
        return ()
    graphs = {"": graph} | {
        name: CausalGraph(graph.factors, graph.attributes, tuple(edges)) for name, edges in rivals.items()
    }
    claimed = {name: frozenset(relations(each)) for name, each in graphs.items()}
    classes = {name: equivalence_class(each.nodes, each.edges) for name, each in graphs.items()}
    decided = {(check.source, check.target) for check in pairs if check.found is not None}
    found = []
    for name, each in graphs.items():
        claims = [
            claim
            for claim in each.implied_independencies()
            if {claim.left, claim.right, *claim.given} <= set(tester.variables)
        ]
        checks = check_independencies(claims, tester, rule, "data", causes_first(each)).checks
        found.append(
            JudgedGraph(
                name=name,
                count=_count(pairs, claimed[name]),
                wrong=tuple(
                    (check.source, check.target)
                    for check in pairs
                    if check.found is not None and check.found != ((check.source, check.target) in claimed[name])
                ),
                violated=sum(check.rejected for check in checks),
                implied=len(checks),
                same_class=tuple(other for other in graphs if other != name and classes[other] == classes[name]),
                same_effects=tuple(
                    other for other in graphs if other != name and not (claimed[other] ^ claimed[name]) & decided
                ),
            )
        )
    return tuple(found)


def _count(pairs: Sequence[PairCheck], claimed: Collection[Edge]) -> GraphCount:
    right = [check.found == ((check.source, check.target) in claimed) for check in pairs if check.found is not None]
    return GraphCount(
        as_declared=sum(right),
        wrong=len(right) - sum(right),
        undecided=sum(check.graph == "undecided" for check in pairs),
        untested=sum(check.graph == "untested" for check in pairs),
    )
