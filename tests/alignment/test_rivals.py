"""Rival graphs on one run: what each gets wrong, and which cannot be told apart."""

import pytest

from causalvae.alignment.assess import assess
from causalvae.alignment.types import JudgedGraph
from causalvae.effects.outcomes import Outcomes
from causalvae.report.alignment_tables import graph_table
from tests.alignment.worlds import WORLDS, Run, edges_of, identity, linear_world, run_world

READ = [f"{name} -> y{name}" for name in "abcd"]
RIVALS = {
    "turned": ["c -> b", "b -> a", *READ],
    "fork": ["b -> a", "b -> c", *READ],
    "collider": ["a -> b", "c -> b", *READ],
    "empty": READ,
}


def chain(pairs: int, samples: int) -> Run:
    world = linear_world(WORLDS["chain"])
    return run_world(
        world, identity("abcd"), edges_of("chain"), pairs=pairs, samples=samples, seed=2, bootstrap=2, rivals=RIVALS
    )


@pytest.fixture(scope="module")
def run() -> Run:
    return chain(300, 900)


@pytest.fixture(scope="module")
def judged(run: Run) -> dict[str, JudgedGraph]:
    found = assess(run.spec, Outcomes(run.measurements), run.graph)
    return {graph.name: graph for graph in found.graphs}


def test_interventions_choose_among_graphs_that_observation_does_not_tell_apart(judged) -> None:
    assert list(judged) == ["", *RIVALS]
    assert set(judged[""].same_class) == {"turned", "fork"}
    assert (judged[""].count.wrong, judged[""].violated) == (0, 0)
    assert set(judged["turned"].wrong) == {("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")}
    assert set(judged["fork"].wrong) == {("a", "b"), ("b", "a")}
    assert judged["turned"].violated == judged["fork"].violated == 0
    assert all(graph.undistinguished == () for graph in judged.values())


def test_observation_rejects_other_classes(judged) -> None:
    assert judged["collider"].violated > 0
    assert judged["empty"].violated > 0
    assert set(judged["empty"].wrong) == {("a", "b"), ("b", "c")}
    assert judged["collider"].same_class == ()


def test_where_no_intervention_decides_the_same_class_is_not_told_apart() -> None:
    few = chain(2, 300)
    found = assess(few.spec, Outcomes(few.measurements), few.graph)
    declared = found.graphs[0]
    assert declared.count.undecided == declared.count.total == 28
    assert set(declared.undistinguished) == {"turned", "fork"}
    rows = graph_table(found).rows
    assert rows[0][0] == "declared" and rows[0][-1] == "turned, fork"
    assert rows[1][-1] == "declared, fork"


def test_rivals_are_part_of_what_a_run_is_found_by(run: Run) -> None:
    plain = run.spec.model_copy(update={"alignment": run.spec.alignment.model_copy(update={"rivals": {}})})
    assert assess(plain, Outcomes(run.measurements), run.graph).graphs == ()
    assert plain.digest != run.spec.digest
