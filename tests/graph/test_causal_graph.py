"""Graphs against a naive reading of Pearl's path-blocking definition."""

from __future__ import annotations

import itertools
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.errors import CausalVAEError
from causalvae.graph import CausalGraph, Independence
from causalvae.spec import parse_spec
from tests.spec.faults import GOOD

Edge = tuple[str, str]


def undirected_paths(edges: set[Edge], x: str, y: str) -> list[list[str]]:
    found = []
    pending = [[x]]
    while pending:
        path = pending.pop()
        if path[-1] == y:
            found.append(path)
            continue
        for a, b in edges:
            for here, there in ((a, b), (b, a)):
                if here == path[-1] and there not in path:
                    pending.append([*path, there])
    return found


def descends(edges: set[Edge], node: str) -> set[str]:
    found = {node}
    while True:
        more = {child for parent, child in edges if parent in found} - found
        if not more:
            return found
        found |= more


def is_blocked(edges: set[Edge], path: list[str], given: set[str]) -> bool:
    for before, node, after in zip(path, path[1:], path[2:], strict=False):
        collider = (before, node) in edges and (after, node) in edges
        if collider and not descends(edges, node) & given:
            return True
        if not collider and node in given:
            return True
    return False


def naive_d_separated(edges: set[Edge], x: str, y: str, given: set[str]) -> bool:
    return all(is_blocked(edges, path, given) for path in undirected_paths(edges, x, y))


@st.composite
def graphs(draw: st.DrawFn, least: int = 2, most: int = 6) -> CausalGraph:
    count = draw(st.integers(least, most))
    order = draw(st.permutations([f"n{i}" for i in range(count)]))
    edges = [pair for pair in itertools.combinations(order, 2) if draw(st.booleans())]
    split = draw(st.integers(0, count))
    names = draw(st.permutations(order))
    return CausalGraph(tuple(names[:split]), tuple(names[split:]), tuple(draw(st.permutations(edges))))


@settings(max_examples=100, deadline=None)
@given(graph=graphs(most=5))
def test_every_implied_independence_holds_and_every_non_adjacent_pair_has_one(graph: CausalGraph) -> None:
    edges = set(graph.edges)
    implied = graph.implied_independencies()
    for claim in implied:
        assert naive_d_separated(edges, claim.left, claim.right, set(claim.given))
    pairs = [frozenset((claim.left, claim.right)) for claim in implied]
    adjacent = {frozenset(edge) for edge in edges}
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == {frozenset(pair) for pair in itertools.combinations(graph.nodes, 2)} - adjacent


@settings(max_examples=100, deadline=None)
@given(graph=graphs())
def test_kinship_agrees_with_closure(graph: CausalGraph) -> None:
    edges = set(graph.edges)
    for node in graph.nodes:
        assert set(graph.descendants(node)) == descends(edges, node) - {node}
        assert set(graph.ancestors(node)) == {other for other in graph.nodes if node in descends(edges, other)} - {node}
        assert set(graph.parents(node)) == {parent for parent, child in edges if child == node}


def test_known_structures() -> None:
    chain = CausalGraph(("a", "b"), ("c",), (("a", "b"), ("b", "c")))
    assert chain.implied_independencies() == (Independence("a", "c", ("b",)),)
    collider = CausalGraph(("a", "b"), ("c", "d"), (("a", "c"), ("b", "c"), ("c", "d")))
    assert collider.implied_independencies() == (
        Independence("a", "b"),
        Independence("a", "d", ("c",)),
        Independence("b", "d", ("c",)),
    )
    assert str(Independence("a", "c", ("b",))) == "a _||_ c | b"


def test_a_spec_gives_its_graph() -> None:
    spec, _ = parse_spec(GOOD)
    assert spec is not None
    graph = CausalGraph.from_section(spec.graph)
    assert graph.nodes == ("shape", "scale", "orientation", "x", "y", "area", "centroid_x", "centroid_y", "heart")
    assert graph.parents("area") == ("shape", "scale")
    assert graph.descendants("shape") == ("area", "heart")
    assert graph.networkx.nodes["area"]["role"] == "attribute"
    assert graph.networkx.nodes["scale"]["role"] == "factor"
    assert set(graph.networkx.edges) == set(graph.edges)
    assert Independence("area", "heart", ("shape", "scale")) in graph.implied_independencies()


def test_graphs_that_are_none_are_refused() -> None:
    for factors, attributes, edges, code in (
        (("a",), ("b",), (("a", "b"), ("b", "a")), "CV032"),
        (("a",), ("b",), (("a", "a"),), "CV032"),
        (("a",), ("b",), (("a", "c"),), "CV030"),
        (("a",), ("a",), (), "CV031"),
    ):
        with pytest.raises(CausalVAEError) as caught:
            CausalGraph(factors, attributes, edges)
        assert caught.value.code == code
    graph = CausalGraph(("a",), ("b",), (("a", "b"), ("a", "b")))
    assert graph.edges == (("a", "b"),)
    for ask in (graph.parents, graph.ancestors, graph.descendants):
        with pytest.raises(KeyError):
            ask("z")


def test_graphs_are_values() -> None:
    graph = CausalGraph(("a",), ("b",), (("a", "b"),))
    assert graph.networkx is graph.networkx
    copy = pickle.loads(pickle.dumps(graph))
    assert copy == graph
    assert hash(copy) == hash(graph)
    assert copy.networkx.edges == graph.networkx.edges
