"""A graph against relabellings of itself: DoWhy's count against all permutations by hand."""

from itertools import permutations

import networkx as nx
import pytest

from causalvae.effects.dowhy.relabelling import compare_with_relabellings

NODES = ("a", "b", "c", "d")
CHAIN = (("a", "b"), ("b", "c"), ("c", "d"))


def oracle(edges):
    """Independencies of a graph, told without error."""
    graph = nx.DiGraph(edges)

    def test(left, right, given):
        return 1.0 if nx.is_d_separator(graph, {left}, {right}, set(given)) else 0.0

    return test


def conditions(edges):
    """Each node and its non-descendants, given its parents."""
    graph = nx.DiGraph(edges)
    for node in graph:
        parents = set(graph.predecessors(node))
        for other in set(graph) - nx.descendants(graph, node) - parents - {node}:
            yield node, other, tuple(sorted(parents))


def share(edges, test) -> float:
    found = [test(*claim) <= 0.05 for claim in conditions(edges)]
    return sum(found) / len(found)


@pytest.mark.parametrize("declared", [CHAIN, (("a", "c"), ("c", "b"), ("b", "d"))], ids=["true", "wrong"])
def test_counts_equal_all_permutations_by_hand(declared) -> None:
    test = oracle(CHAIN)
    found = compare_with_relabellings(NODES, declared, test, 25, seed=0)
    mine = share(declared, test)
    by_hand = [
        share([(order[NODES.index(p)], order[NODES.index(c)]) for p, c in declared], test)
        for order in permutations(NODES)
    ]
    assert (found.violations == 0) == (declared == CHAIN)
    # More than there are: each is taken once.
    assert found.permutations == 24
    assert found.as_good == sum(other <= mine for other in by_hand)
    assert found.p_value == pytest.approx((found.as_good + 1) / 25)


def test_a_larger_true_graph_is_better_and_a_permuted_one_is_not() -> None:
    nodes = tuple("abcdef")
    edges = [("a", "c"), ("b", "c"), ("c", "d"), ("d", "e"), ("b", "f")]
    test = oracle(edges)
    assert compare_with_relabellings(nodes, edges, test, 200, seed=1).p_value <= 0.05
    wrong = [("f", "d"), ("e", "d"), ("d", "a"), ("a", "b"), ("e", "c")]
    assert compare_with_relabellings(nodes, wrong, test, 200, seed=1).p_value > 0.05
    # The same seed gives the same relabellings.
    again = [compare_with_relabellings(nodes, edges, test, 200, seed=2) for _ in range(2)]
    assert again[0] == again[1]
