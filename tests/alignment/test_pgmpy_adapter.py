import logging
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from causalvae.alignment.pgmpy_adapter import (
    check_independencies,
    combine_p_values,
    covariance_test,
)
from causalvae.alignment.variables import Variable, gather_variables
from causalvae.graph import CausalGraph, Independence
from tests.alignment.planted import MECHANISMS, area, run_planted


def to_dag(graph: CausalGraph):
    from pgmpy.base import DAG

    dag = DAG()
    dag.add_nodes_from(graph.nodes)
    dag.add_edges_from(graph.edges)
    return dag


def test_fishers_c_is_uniform_under_the_truth() -> None:
    values = []
    for seed in range(40):
        run = run_planted(samples=400, pairs=2, seed=seed)
        variables = gather_variables(run.spec, run.measurements)
        found = check_independencies(run.graph.implied_independencies(), variables, 0.05, "holm")
        assert len(found.checks) == 7
        values.append(found.fisher_p)
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert np.mean(np.array(values) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def test_a_missing_edge_violates_its_independence_and_no_other() -> None:
    run = run_planted(declared=("scale -> area", "x -> centre"), samples=600)
    variables = gather_variables(run.spec, run.measurements)
    found = check_independencies(run.graph.implied_independencies(), variables, 0.05, "holm")
    assert [(c.left, c.right, c.given) for c in found.checks if c.rejected] == [("shape", "area", ("scale",))]
    assert found.fisher_p < 1e-6
    violated = next(c for c in found.checks if c.rejected)
    assert violated.effect > 0.3
    assert violated.p_adjusted == pytest.approx(min(1.0, violated.p_value * len(found.checks)))


def test_fishers_c_equals_pgmpys() -> None:
    from pgmpy.metrics import FisherC

    run = run_planted(samples=400)
    variables = gather_variables(run.spec, run.measurements)
    found = check_independencies(run.graph.implied_independencies(), variables, 0.05, "holm")
    frame = pd.DataFrame({name: variable.values for name, variable in variables.items()})
    theirs = FisherC(ci_test=covariance_test(variables), show_progress=False)(X=frame, causal_graph=to_dag(run.graph))
    assert found.fisher_p == pytest.approx(theirs, rel=1e-9)
    assert found.fisher_c == pytest.approx(-2 * sum(np.log(c.p_value) for c in found.checks))


def test_pgmpys_other_users_of_a_test_take_it() -> None:
    from pgmpy.causal_discovery import PC
    from pgmpy.metrics import ImpliedCIs

    run = run_planted(samples=400)
    variables = gather_variables(run.spec, run.measurements)
    frame = pd.DataFrame({name: variable.values for name, variable in variables.items()})
    implied = ImpliedCIs(ci_test=covariance_test(variables), show_progress=False)(
        X=frame, causal_graph=to_dag(run.graph)
    )
    assert implied["p-value"].between(0, 1).all()
    learner = PC(variant="stable", ci_test=covariance_test(variables), show_progress=False).fit(frame)
    skeleton = {frozenset(edge[:2]) for edge in learner.causal_graph_.edges()}
    assert skeleton == {frozenset(edge) for edge in run.graph.edges}


def test_a_complete_graph_has_no_fishers_c() -> None:
    found = check_independencies((), {}, 0.05, "holm")
    assert (found.checks, found.fisher_c, found.fisher_p, found.notes) == ((), None, None, ())


def test_constants_and_functions_of_the_given_are_left_out_with_the_reason() -> None:
    rng = np.random.default_rng(0)
    scale = Variable("scale", rng.choice(np.linspace(0.5, 1, 6), 500))
    variables = {
        "scale": scale,
        "x": Variable("x", rng.random(500)),
        "area": Variable("area", scale.values**2),
        "extent": Variable("extent", np.sqrt(scale.values)),
        "flat": Variable("flat", np.full(500, 3.0)),
    }
    claims = (
        Independence("x", "area", ("scale",)),
        Independence("area", "extent", ("scale",)),
        Independence("flat", "x"),
        Independence("scale", "x"),
    )
    found = check_independencies(claims, variables, 0.05, "holm")
    assert [(c.left, c.right) for c in found.checks] == [("scale", "x")]
    assert found.fisher_c == pytest.approx(-2 * np.log(found.checks[0].p_value))
    assert len(found.notes) == 2
    assert "area is a function of scale" in found.notes[0]
    assert "x and area given scale; area and extent given scale" in found.notes[0]
    assert "flat does not vary" in found.notes[1]


def test_too_few_samples_are_a_note() -> None:
    rng = np.random.default_rng(1)
    variables = {name: Variable(name, rng.random(4)) for name in "ab"}
    found = check_independencies((Independence("a", "b"),), variables, 0.05, "holm")
    assert found.checks == ()
    assert found.fisher_p is None
    assert "too few samples" in found.notes[0]


def test_combined_p_values_equal_scipys() -> None:
    values = [0.3, 0.02, 0.9]
    expected = stats.combine_pvalues(values, method="fisher")
    assert combine_p_values(values) == pytest.approx((expected.statistic, expected.pvalue))
    assert np.isfinite(combine_p_values([0.0])[0])


def test_pgmpy_is_quiet_and_loaded_only_when_used(caplog: pytest.LogCaptureFixture) -> None:
    code = "import sys, causalvae.alignment.assess; assert not any(m.split('.')[0] == 'pgmpy' for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    run = run_planted(samples=200)
    variables = gather_variables(run.spec, run.measurements)
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        check_independencies(run.graph.implied_independencies(), variables, 0.05, "holm")
    assert not caplog.records


def test_variables_take_their_kind_from_the_spec_then_from_the_data_then_from_the_periods() -> None:
    run = run_planted(mechanisms=MECHANISMS | {"axis": area})
    found = gather_variables(run.spec, replace(run.measurements, periods={"axis": np.pi}))
    assert list(found) == ["shape", "scale", "x", "area", "centre", "axis"]
    assert [v.kind for v in found.values()] == ["categorical", "numeric", "numeric", "numeric", "numeric", "cyclic"]
    section = run.spec.graph.model_copy(
        update={
            "factors": run.spec.graph.factors | {"x": run.spec.graph.factors["x"].model_copy(update={"kind": "cyclic"})}
        }
    )
    cyclic = gather_variables(run.spec.model_copy(update={"graph": section}), run.measurements)["x"]
    assert (cyclic.kind, cyclic.period) == ("cyclic", 1.0)


def test_undefined_rows_are_left_out_of_all_variables() -> None:
    run = run_planted(samples=50, pairs=20)
    run.measurements.observations.loc[3, "attribute:area"] = np.nan
    found = gather_variables(run.spec, run.measurements)
    assert {len(v.values) for v in found.values()} == {49}
