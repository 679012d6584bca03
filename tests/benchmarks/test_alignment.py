"""The benchmark of the alignment: its corruptions, what it expects, and one world and network end to end."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from benchmarks.alignment.judging import EXACT, MISSED, judge_graphs, judge_network, measured
from benchmarks.alignment.report import write_report
from benchmarks.alignment.worlds import (
    BETWEEN,
    FACTORS,
    WORLDS,
    Corruption,
    attribute,
    corruptions,
    open_world,
    true_edges,
)
from benchmarks.circuits.store import Row
from causalvae.models.planted import code_truth


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


@pytest.mark.parametrize(("world", "code"), [("collider", "inventing"), ("fork", "leaky"), ("collider", "leaky")])
def test_planted_inventions_are_twice_the_limit_where_the_data_are(world: str, code: str) -> None:
    """In these worlds they are the smallest: 0.25 standard deviations count as an effect."""
    _, spec, columns = measured(world, code, 3)
    known = code_truth(spec.model, len(FACTORS[world]))
    assert known.invented
    for factor, output in known.invented:
        found = next(item for item in columns if item.factor == FACTORS[world][factor])
        column = next(item for item in found.columns if item.target == attribute(FACTORS[world][output]))
        assert np.sqrt(np.mean(column.network[column.inside] ** 2)) > 0.5


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
