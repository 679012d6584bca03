import logging
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from causalvae.alignment.independencies import IndependenceTester, Rule, check_independencies
from causalvae.alignment.pgmpy_adapter import EquivalenceClass, covariance_test, equivalence_class, learn_class
from causalvae.alignment.variables import Variable
from causalvae.graph import CausalGraph
from tests.alignment.planted import run_planted
from tests.alignment.worlds import open_tester


def to_dag(graph: CausalGraph):
    from pgmpy.base import DAG

    dag = DAG()
    dag.add_nodes_from(graph.nodes)
    dag.add_edges_from(graph.edges)
    return dag


def test_fishers_c_equals_pgmpys() -> None:
    from pgmpy.metrics import FisherC

    run = run_planted(samples=400)
    tester = open_tester(run)
    found = check_independencies(run.graph.implied_independencies(), tester, Rule())
    frame = pd.DataFrame({name: variable.values for name, variable in tester.variables.items()})
    theirs = FisherC(ci_test=covariance_test(tester), show_progress=False)(X=frame, causal_graph=to_dag(run.graph))
    assert found.fisher_p == pytest.approx(theirs, rel=1e-9)
    assert found.fisher_c == pytest.approx(-2 * sum(np.log(c.p_value) for c in found.checks))


def test_pgmpys_metrics_take_the_test() -> None:
    from pgmpy.metrics import ImpliedCIs

    run = run_planted(samples=400)
    tester = open_tester(run)
    frame = pd.DataFrame({name: variable.values for name, variable in tester.variables.items()})
    implied = ImpliedCIs(ci_test=covariance_test(tester), show_progress=False)(X=frame, causal_graph=to_dag(run.graph))
    assert implied["p-value"].between(0, 1).all()


def test_pgmpy_is_quiet_and_loaded_only_when_used(caplog: pytest.LogCaptureFixture) -> None:
    code = "import sys, causalvae.alignment.assess; assert not any(m.split('.')[0] == 'pgmpy' for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    run = run_planted(samples=200)
    tester = open_tester(run)
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        learn_class(tester, run.graph.factors, 0.01)
    assert not caplog.records


def classes(*edges: str) -> EquivalenceClass:
    """Written as ``a>b`` and ``a-b``."""
    return EquivalenceClass(
        frozenset((edge[0], edge[2]) for edge in edges if ">" in edge),
        frozenset(frozenset((edge[0], edge[2])) for edge in edges if "-" in edge),
    )


def test_equivalence_classes_keep_colliders_alone() -> None:
    assert equivalence_class("abc", [("a", "b"), ("b", "c")]) == classes("a-b", "b-c")
    assert equivalence_class("abc", [("b", "a"), ("b", "c")]) == classes("a-b", "b-c")
    assert equivalence_class("abc", [("a", "c"), ("b", "c")]) == classes("a>c", "b>c")
    assert equivalence_class("abcd", [("a", "c"), ("b", "c"), ("c", "d")]) == classes("a>c", "b>c", "c>d")
    assert equivalence_class("ab", []) == classes()


def test_the_distance_counts_pairs_that_differ_in_presence_or_direction() -> None:
    chain, collider = classes("a-b", "b-c"), classes("a>b", "c>b")
    assert chain.distance(chain, "abc") == 0
    assert chain.distance(collider, "abc") == 2
    assert classes("a>b").distance(classes("b>a"), "abc") == 1
    assert classes("a>b").distance(classes("a>b", "a-c"), "abc") == 1


def test_pc_learns_a_non_linear_collider_and_a_chain() -> None:
    rng = np.random.default_rng(1)
    n = 1500
    a, b = rng.random((2, n))
    c = np.sin(3 * a) + b**2 + 0.1 * rng.standard_normal(n)
    level = (c + 0.5 * rng.standard_normal(n) > 1).astype(float)
    variables = {"a": Variable("a", a), "b": Variable("b", b), "c": Variable("c", c)}
    variables["d"] = Variable("d", level, "categorical")
    assert learn_class(IndependenceTester(variables), "abcd", 0.01) == classes("a>c", "b>c", "c>d")


def test_pc_learns_from_few_samples_that_are_almost_alike() -> None:
    # Given two copies of a variable, hardly anything of a third one is left: such a test rejects nothing, and does
    # not stop the learning.
    for seed in range(4):
        rng = np.random.default_rng(seed)
        common = rng.integers(0, 4, 40)
        names = ("a", "b", "c", "d")
        values = {name: np.where(rng.random(40) < 0.95, common, rng.integers(0, 4, 40)) for name in names}
        variables = {name: Variable(name, column.astype(float), "categorical") for name, column in values.items()}
        found = learn_class(IndependenceTester(variables), names, 0.01)
        joined = {name for edge in (*found.directed, *found.undirected) for name in edge}
        assert joined <= set(names)
