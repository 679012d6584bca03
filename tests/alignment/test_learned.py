"""The graph learned from observations, and what interventions make of it."""

from dataclasses import replace

import numpy as np
import pytest

from causalvae.alignment.assess import assess
from causalvae.alignment.identification import identification_distances
from causalvae.alignment.independencies import IndependenceTester
from causalvae.alignment.learned import learn_structure
from causalvae.alignment.pgmpy_adapter import EquivalenceClass
from causalvae.alignment.variables import Variable
from causalvae.effects.outcomes import Outcomes
from causalvae.graph import CausalGraph
from causalvae.report.alignment_findings import finding_sentences
from tests.alignment.worlds import WORLDS, edges_of, identity, linear_world, run_world


@pytest.mark.parametrize("shape", ["chain", "collider"])
def test_interventions_orient_what_observation_leaves_open(shape: str) -> None:
    run = run_world(linear_world(WORLDS[shape]), identity("abcd"), edges_of(shape), samples=600, bootstrap=2)
    found = assess(run.spec, Outcomes(run.measurements), run.graph)
    learned = found.learned
    assert learned.distance == 0
    assert (learned.directed == ()) == (shape == "chain")
    assert set(learned.final_directed) == set(WORLDS[shape])
    assert (learned.overridden, learned.final_undirected) == ((), ())


def test_a_hidden_common_cause_is_learned_as_an_edge_and_overridden() -> None:
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal(1500)
    values = {name: hidden + rng.standard_normal(1500) for name in "ab"}
    tester = IndependenceTester({name: Variable(name, column) for name, column in values.items()})
    run = run_world(linear_world({}, "ab"), identity("ab"), ["a -> ya", "b -> yb"], bootstrap=2, pairs=256)
    pairs = assess(run.spec, Outcomes(run.measurements), run.graph).pairs
    graph = CausalGraph(("a", "b"), ())
    learned = learn_structure(graph, tester, pairs)
    assert learned.undirected == (("a", "b"),)
    assert (learned.distance, learned.overridden) == (1, (("a", "b"),))
    assert (learned.final_directed, learned.final_undirected) == ((), ())
    undecided = tuple(replace(check, graph="undecided") for check in pairs)
    kept = learn_structure(graph, tester, undecided)
    assert (kept.overridden, kept.final_undirected) == ((), (("a", "b"),))
    found = replace(assess(run.spec, Outcomes(run.measurements), run.graph), learned=learned)
    (words,) = (text for text in finding_sentences(found) if "Graph learned" in text)
    assert "a - b; structural Hamming distance to the declared equivalence class 1" in words
    assert "Interventions override it for a and b, which gives no edge between factors" in words


def test_too_few_or_too_many_factors_are_not_learned() -> None:
    rng = np.random.default_rng(0)
    variables = {name: Variable(name, rng.random(50)) for name in "abcdefghi"}
    assert learn_structure(CausalGraph(tuple("abcdefghi"), ()), IndependenceTester(variables), ()) is None
    assert learn_structure(CausalGraph(("a",), ()), IndependenceTester(variables), ()) is None
    variables["b"] = Variable("b", np.zeros(50))
    assert learn_structure(CausalGraph(("a", "b"), ()), IndependenceTester(variables), ()) is None


def test_identification_distances_of_a_reversed_edge() -> None:
    pytest.importorskip("gadjid")
    forward = EquivalenceClass(frozenset({("a", "b")}), frozenset())
    backward = EquivalenceClass(frozenset({("b", "a")}), frozenset())
    assert all(share == 0 for _, share in identification_distances(forward, forward, "ab"))
    assert all(share == 1 for _, share in identification_distances(forward, backward, "ab"))
