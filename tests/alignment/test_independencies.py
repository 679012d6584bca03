"""Implied independencies: their size against closed forms and loops, their decisions, and their rates."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from causalvae.alignment.conditional import Conditioner
from causalvae.alignment.dependence_size import measure_size
from causalvae.alignment.independencies import (
    IndependenceTester,
    Rule,
    check_independencies,
    combine_p_values,
)
from causalvae.alignment.variables import Variable
from causalvae.graph import Independence
from tests.alignment.planted import MECHANISMS, area, run_planted
from tests.alignment.worlds import open_tester, variables_of


def test_fishers_c_is_uniform_under_the_truth() -> None:
    values = []
    for seed in range(40):
        run = run_planted(samples=400, pairs=2, seed=seed)
        tester = open_tester(run)
        found = check_independencies(run.graph.implied_independencies(), tester, Rule())
        assert len(found.checks) == 7
        values.append(found.fisher_p)
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert np.mean(np.array(values) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def test_a_missing_edge_violates_its_independence_and_no_other() -> None:
    run = run_planted(declared=("scale -> area", "x -> centre"), samples=600)
    tester = open_tester(run)
    found = check_independencies(run.graph.implied_independencies(), tester, Rule())
    assert [(c.left, c.right, c.given) for c in found.checks if c.rejected] == [("shape", "area", ("scale",))]
    assert found.fisher_p < 1e-6
    violated = next(c for c in found.checks if c.rejected)
    assert violated.effect > 0.3
    assert violated.p_adjusted == pytest.approx(min(1.0, violated.p_value * len(found.checks)))


def test_a_complete_graph_has_no_fishers_c() -> None:
    found = check_independencies((), IndependenceTester({}), Rule())
    assert (found.checks, found.fisher_c, found.fisher_p, found.untested) == ((), None, None, {})


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
    found = check_independencies(claims, IndependenceTester(variables), Rule())
    assert [(c.left, c.right) for c in found.checks] == [("scale", "x")]
    assert found.fisher_c == pytest.approx(-2 * np.log(found.checks[0].p_value))
    assert list(found.untested.values()) == [claims[:2], claims[2:3]]
    assert ["area is a function of scale" in reason for reason in found.untested] == [True, False]
    assert "flat does not vary" in found.untested


def test_too_few_samples_are_told() -> None:
    rng = np.random.default_rng(1)
    variables = {name: Variable(name, rng.random(4)) for name in "ab"}
    found = check_independencies((Independence("a", "b"),), IndependenceTester(variables), Rule())
    assert found.checks == ()
    assert found.fisher_p is None
    assert "too few samples" in next(iter(found.untested))


def test_combined_p_values_equal_scipys() -> None:
    values = [0.3, 0.02, 0.9]
    expected = stats.combine_pvalues(values, method="fisher")
    assert combine_p_values(values) == pytest.approx((expected.statistic, expected.pvalue))
    assert np.isfinite(combine_p_values([0.0])[0])


def test_variables_take_their_kind_from_the_spec_then_from_the_data_then_from_the_periods() -> None:
    run = run_planted(mechanisms=MECHANISMS | {"axis": area})
    found = variables_of(run, periods={"axis": np.pi})
    assert list(found) == ["shape", "scale", "x", "area", "centre", "axis"]
    assert [v.kind for v in found.values()] == ["categorical", "numeric", "numeric", "numeric", "numeric", "cyclic"]
    section = run.spec.graph.model_copy(
        update={
            "factors": run.spec.graph.factors | {"x": run.spec.graph.factors["x"].model_copy(update={"kind": "cyclic"})}
        }
    )
    cyclic = variables_of(replace(run, spec=run.spec.model_copy(update={"graph": section})))["x"]
    assert (cyclic.kind, cyclic.period) == ("cyclic", 1.0)


def test_undefined_rows_are_left_out_of_all_variables() -> None:
    run = run_planted(samples=50, pairs=20)
    run.measurements.observations.loc[3, "attribute:area"] = np.nan
    found = variables_of(run)
    assert {len(v.values) for v in found.values()} == {49}


def alone(n: int) -> Conditioner:
    return Conditioner((), n)


def groups(n: int, rng: np.random.Generator) -> Variable:
    return Variable("g", rng.integers(0, 3, n).astype(float), "categorical")


def test_a_size_and_its_sandwich_error_equal_a_loop_over_rows() -> None:
    rng = np.random.default_rng(2)
    n, tau = 300, 0.3
    given = groups(n, rng)
    x = Variable("x", rng.standard_normal(n) + given.values)
    y = Variable("y", 0.2 * x.values + given.values + rng.standard_normal(n) * (1 + given.values))
    left, right = np.empty(n), np.empty(n)
    for row in range(n):
        others = (given.values == given.values[row]) & (np.arange(n) != row)
        left[row] = x.values[row] - x.values[others].mean()
        right[row] = y.values[row] - y.values[others].mean()
    slope = sum(left * right) / sum(left**2)
    error = np.sqrt(sum((left * (right - slope * left)) ** 2)) / sum(left**2)
    unit = np.sqrt(2) * x.values.std() / y.values.std()
    found = measure_size(x, y, Conditioner((given,), n), tau)
    assert found.value == pytest.approx(unit * abs(slope))
    assert (found.upper - found.value) == pytest.approx(stats.norm.ppf(0.975) * unit * error)
    assert found.p_small == pytest.approx(stats.norm.cdf((unit * abs(slope) - tau) / (unit * error)))
    ratio = (right.var() / y.values.var()) / (left.var() / x.values.var())
    assert found.needed == pytest.approx(2165 * (0.1 / tau) ** 2 * ratio, rel=0.001, abs=1)


def test_sizes_are_what_a_redraw_changes_for_numbers_and_for_levels() -> None:
    rng = np.random.default_rng(3)
    n = 20_000
    level = Variable("level", rng.choice([0.0, 1, 2], n, p=[0.5, 0.3, 0.2]), "categorical")
    height = np.array([0.0, 1.0, 3.0])[level.values.astype(int)]
    y = Variable("y", height + rng.standard_normal(n))
    shares = np.array([0.5, 0.3, 0.2])
    steps = np.array([0.0, 1.0, 3.0])
    by_hand = np.sqrt(2 * (shares @ steps**2 - (shares @ steps) ** 2)) / y.values.std()
    assert measure_size(level, y, alone(n), 0.1).value == pytest.approx(by_hand, rel=0.02)
    # A copy changes by sqrt(2) of its standard deviations, whatever its kind.
    angle = Variable("angle", rng.random(n), "cyclic", 1.0)
    for variable in (level, y, angle):
        assert measure_size(variable, variable, alone(n), 0.1).value == pytest.approx(np.sqrt(2), rel=0.01)
    assert measure_size(level, Variable("z", rng.standard_normal(n)), alone(n), 0.1).value < 0.03


def test_a_part_that_is_determined_or_too_many_coefficients_have_no_size() -> None:
    rng = np.random.default_rng(4)
    given = groups(400, rng)
    inside = Variable("inside", given.values + 3.0 * (given.values == 2) * rng.integers(0, 2, 400), "categorical")
    y = Variable("y", rng.standard_normal(400))
    assert measure_size(inside, y, Conditioner((given,), 400), 0.1) is None
    many = Variable("many", rng.integers(0, 20, 400).astype(float), "categorical")
    assert measure_size(many, many, alone(400), 0.1) is None


def rates(effect: float, n: int, runs: int, kind: str = "numeric") -> float:
    """How often a dependence of `effect` is shown to be below 0.1."""
    shown = 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, n])
        given = groups(n, rng)
        x, unit = rng.standard_normal(n), 1.0
        if kind == "categorical":
            x = rng.integers(0, 3, n).astype(float)
            unit = np.sqrt(2 / 3)
        slope = effect / np.sqrt(2) / unit
        y = slope * x + np.sqrt(1 - (slope * unit) ** 2) * rng.standard_normal(n)
        found = measure_size(Variable("x", x, kind), Variable("y", y), Conditioner((given,), n), 0.1)
        shown += found.p_small <= 0.05
    return shown / runs


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_equivalence_holds_its_level_at_the_bound(kind: str) -> None:
    assert rates(0.1, 2200, 200, kind) <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 200)


def test_the_samples_that_are_needed_give_the_power() -> None:
    assert abs(rates(0.0, 2165, 200) - 0.9) < 2.6 * np.sqrt(0.9 * 0.1 / 200) + 0.01


@pytest.mark.simulation
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_size_and_power_of_the_equivalence_over_many_draws(kind: str) -> None:
    assert rates(0.1, 2200, 2000, kind) <= 0.062
    rng = np.random.default_rng(0)
    given = groups(4000, rng)
    x = Variable("x", rng.integers(0, 3, 4000).astype(float) if kind == "categorical" else rng.random(4000), kind)
    needed = measure_size(x, Variable("y", rng.standard_normal(4000)), Conditioner((given,), 4000), 0.1).needed
    assert abs(rates(0.0, needed, 2000, kind) - 0.9) < 0.03


def test_each_independence_is_independent_dependent_or_undecided() -> None:
    rng = np.random.default_rng(5)
    n = 6000
    x, e, f = rng.standard_normal((3, n))
    variables = {"x": x, "far": e, "near": 0.5 * x + e, "faint": 0.06 * x + f, "bend": x**2 + f}
    claims = tuple(Independence("x", name) for name in ("far", "near", "faint", "bend"))

    def results(rows: int) -> list[str]:
        tester = IndependenceTester({name: Variable(name, values[:rows]) for name, values in variables.items()})
        return [check.result for check in check_independencies(claims, tester, Rule()).checks]

    # A bend has no slope: equivalence of slopes alone would call it independent.
    assert results(n) == ["independent", "dependent", "dependent", "dependent"]
    assert results(300)[:3] == ["undecided", "dependent", "undecided"]


def test_of_two_variables_the_cause_is_redrawn() -> None:
    rng = np.random.default_rng(6)
    given = rng.standard_normal(2000)
    loud = 0.3 * given + rng.standard_normal(2000)
    close = given + 0.1 * rng.standard_normal(2000)
    tester = IndependenceTester({n: Variable(n, v) for n, v in {"g": given, "loud": loud, "close": close}.items()})
    claim = (Independence("loud", "close", ("g",)),)
    forward = check_independencies(claim, tester, Rule(), order=("g", "loud", "close")).checks[0]
    backward = check_independencies(claim, tester, Rule(), order=("g", "close", "loud")).checks[0]
    assert forward.needed < 200 < 20_000 < backward.needed
    assert forward.p_value == backward.p_value
