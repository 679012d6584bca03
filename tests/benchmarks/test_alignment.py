"""The benchmark of the alignment: its corruptions, what it expects, and one world and network end to end."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from benchmarks.alignment.judging import EXACT, MISSED, judge_graphs, judge_network
from benchmarks.alignment.report import write_report
from benchmarks.alignment.worlds import BETWEEN, WORLDS, Corruption, corruptions, open_world, true_edges
from benchmarks.circuits.store import Row


@pytest.mark.parametrize("world", list(WORLDS))
def test_corruptions_differ_from_the_true_graph_by_one_edge(world: str) -> None:
    true, found = true_edges(world), list(corruptions(world))
    sizes = {"true": (0, 0), "dropped": (0, 1), "added": (1, 0), "reversed": (1, 1), "rerouted": (1, 1)}
    assert {graph.kind for graph in found} == set(sizes)
    for graph in found:
        assert (len(graph.edges - true), len(true - graph.edges)) == sizes[graph.kind]
        assert nx.is_directed_acyclic_graph(nx.DiGraph(list(graph.edges)))
        assert bool(graph.expected(world)) == (graph.kind != "true")
    assert len({graph.edges for graph in found}) == len(found)


def test_the_true_edges_are_those_of_the_data() -> None:
    for world, edges in BETWEEN.items():
        model = open_world(world, "identity", 0).dataset.sampler.model
        assert edges == {edge for edge in model.edges if "h" not in edge}


def test_the_names_of_faults() -> None:
    true = true_edges("chain")
    turned = Corruption("reversed", true - {("a", "b")} | {("b", "a")})
    assert turned.expected("chain") == {("a", "b"): "reversed", ("b", "a"): "reversed"}
    assert Corruption("dropped", true - {("a", "ya")}).expected("chain") == {("a", "ya"): "undeclared"}


def test_one_world_and_two_networks(tmp_path: Path) -> None:
    rows = [
        *judge_graphs("collider", 0),
        *judge_network("collider", "swapped", 0),
        *judge_network("collider", "lossy", 0),
    ]
    assert {row.found for row in rows} == {EXACT}
    assert [row.claim for row in rows[-2:]] == ["mapping wrong", "network loses"]
    missed = Row("networks", "fork", "lossy", 1, 4, "network loses", MISSED)
    text = write_report([*rows, missed], tmp_path)[0].read_text(encoding="utf-8")
    assert "| lossy | 2 | 50.0 % [1.3, 98.7] | 0 | 1 | 0 |" in text
