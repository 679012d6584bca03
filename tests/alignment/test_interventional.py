import warnings

import numpy as np
import pytest

from causalvae.alignment.assess import declared_relations
from causalvae.alignment.interventional import check_edges, weigh_absence, weigh_presence
from causalvae.alignment.types import EdgeCheck
from tests.alignment.planted import LEVELS, MECHANISMS, Run, area, centre, run_planted


def check(run: Run, **periods: float) -> dict[tuple[str, str, str], EdgeCheck]:
    declared = declared_relations(run.graph)
    found = check_edges(run.spec, run.plan, run.measurements, declared, periods)
    return {(c.via, c.source, c.target): c for c in found.checks}


@pytest.mark.parametrize("correction", ["holm", "bh", "none"])
def test_a_planted_graph_is_recovered_on_both_ways_in(correction: str) -> None:
    checks = check(run_planted(correction=correction))
    assert len(checks) == 2 * 3 * 2
    for (_, source, target), found in checks.items():
        true = (source, target) in {("shape", "area"), ("scale", "area"), ("x", "centre")}
        assert found.declared == true
        assert found.status == ("supported" if true else "absent")


def test_an_edge_that_is_not_declared_is_spurious_and_one_that_is_not_there_is_missing() -> None:
    checks = check(run_planted(declared=("scale -> area", "x -> centre", "x -> area")))
    for via in ("input", "component"):
        assert checks[via, "shape", "area"].status == "spurious"
        assert checks[via, "x", "area"].status == "missing"
        assert checks[via, "x", "centre"].status == "supported"


def test_declared_means_reached_by_a_path() -> None:
    run = run_planted(declared=("shape -> scale", "scale -> area", "x -> centre"))
    assert check(run)["input", "shape", "area"].declared


def test_effect_is_the_root_mean_square_in_standard_deviations() -> None:
    run = run_planted()
    found = check(run)["component", "scale", "area"]
    base, changed = (
        run.measurements.values(run.plan.uses_of("alignment:component:scale", role)[0].arm, "area")[:200]
        for role in ("base", "perturbation")
    )
    total = 0.0
    for one, other in zip(base, changed, strict=True):
        total += (other - one) ** 2
    sd = run.measurements.observations["attribute:area"].std(ddof=1)
    assert found.n == 200
    assert found.effect == pytest.approx(np.sqrt(total / 200) / sd, rel=1e-12)
    assert found.lower < found.effect < found.upper


def test_an_effect_at_the_tolerance_on_few_pairs_is_undecided() -> None:
    scale_of_leak = 0.1 * np.std(centre({"x": np.repeat(LEVELS["x"], 50)}, np.zeros(400)))

    def leaky(factors: dict, noise: np.ndarray) -> np.ndarray:
        return centre(factors, noise) + scale_of_leak * (factors["shape"] - 2) / np.sqrt(4 / 3)

    found = check(run_planted(mechanisms=MECHANISMS | {"centre": leaky}, pairs=30))["input", "shape", "centre"]
    assert found.status == "undecided"
    assert found.p_present > 0.05
    assert found.p_absent > 0.05


def test_differences_of_a_periodic_attribute_are_wrapped() -> None:
    def axis(factors: dict, noise: np.ndarray) -> np.ndarray:
        return np.mod(3.14 + 2.0 * factors["x"] + 0.02 * (factors["shape"] - 2), np.pi)

    run = run_planted(mechanisms={"axis": axis}, declared=("x -> axis",))
    assert check(run)["input", "shape", "axis"].status == "spurious"
    assert check(run, axis=np.pi)["input", "shape", "axis"].status == "absent"


@pytest.mark.parametrize("moved", [False, True])
def test_an_attribute_that_never_varies_gives_numbers_and_no_nan(moved: bool) -> None:
    def flat(factors: dict, noise: np.ndarray) -> np.ndarray:
        return np.full(len(noise), 0.7)

    run = run_planted(mechanisms={"flat": flat, "area": area}, declared=("scale -> area", "shape -> area"))
    if moved:
        arm = run.plan.uses_of("alignment:input:x", "counterfactual")[0].arm
        run.measurements.outcomes.loc[run.measurements.outcomes["arm"] == arm, "flat"] += 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = check_edges(run.spec, run.plan, run.measurements, declared_relations(run.graph))
    for one in found.checks:
        assert np.isfinite([one.effect, one.lower, one.upper, one.p_present, one.p_absent]).all()
    flat_x = next(c for c in found.checks if (c.via, c.source, c.target) == ("input", "x", "flat"))
    assert flat_x.status == ("spurious" if moved else "absent")
    assert (flat_x.effect == 0) is not moved
    assert sum("flat does not vary" in note for note in found.notes) == 1


def test_pairs_where_an_attribute_is_undefined_are_left_out() -> None:
    run = run_planted()
    arm = run.plan.uses_of("alignment:input:x", "counterfactual")[0].arm
    rows = run.measurements.outcomes.index[run.measurements.outcomes["arm"] == arm]
    run.measurements.outcomes.loc[rows[:20], "centre"] = np.nan
    run.measurements.outcomes.loc[rows, "area"] = np.nan
    found = check_edges(run.spec, run.plan, run.measurements, declared_relations(run.graph))
    checks = {(c.source, c.target): c for c in found.checks if c.via == "input"}
    assert checks["x", "centre"].n == 180
    assert checks["x", "centre"].status == "supported"
    assert (checks["x", "area"].n, checks["x", "area"].effect, checks["x", "area"].status) == (0, 0.0, "undecided")
    assert any("undefined in 20 of 200" in note for note in found.notes)


def test_a_factor_without_arms_is_left_out() -> None:
    checks = check(run_planted(mapped=("x",)))
    assert {source for via, source, _ in checks if via == "component"} == {"x"}
    assert {source for via, source, _ in checks if via == "input"} == {"shape", "scale", "x"}


# Changes whose mean square is exactly the bound of 1.
BOUNDARY = {
    "normal": lambda rng, size: rng.standard_normal(size) ** 2,
    "heavy": lambda rng, size: rng.standard_t(5, size) ** 2 * 3 / 5,
    "constant": lambda rng, size: 1 + 0.01 * rng.standard_normal(size),
    "one in ten changes": lambda rng, size: (rng.random(size) < 0.1) / 0.1,
    "one in twenty has a normal change": lambda rng, size: (
        (rng.random(size) < 0.05) * rng.standard_normal(size) ** 2 / 0.05
    ),
    "one in twenty stays": lambda rng, size: (rng.random(size) < 0.95) / 0.95,
}


@pytest.mark.parametrize("shape", BOUNDARY)
@pytest.mark.parametrize("test", [weigh_presence, weigh_absence])
def test_size_at_the_tolerance(shape: str, test) -> None:
    repetitions = 1500
    squares = BOUNDARY[shape](np.random.default_rng(5), (repetitions, 256))
    rejected = np.mean([test(row, 1.0) <= 0.05 for row in squares])
    # Three standard errors of a rate of 0.05 above it.
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)


@pytest.mark.parametrize("shape", BOUNDARY)
def test_power_at_twice_and_half_the_tolerance(shape: str) -> None:
    changes = np.sqrt(BOUNDARY[shape](np.random.default_rng(6), (200, 512)))
    assert np.mean([weigh_presence(4 * row**2, 1.0) <= 0.05 for row in changes]) > 0.8
    assert np.mean([weigh_absence(row**2 / 4, 1.0) <= 0.05 for row in changes]) > 0.8


def test_few_or_equal_pairs_give_finite_p_values() -> None:
    for squares in (np.zeros(0), np.zeros(1), np.full(1, 9.0), np.zeros(50), np.full(50, 1.0), np.full(50, 9.0)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = weigh_presence(squares, 1.0), weigh_absence(squares, 1.0)
        assert all(0 <= value <= 1 for value in values)
    assert weigh_absence(np.zeros(1), 1.0) > 0.05
    assert weigh_presence(np.full(1, 9.0), 1.0) > 0.05
    assert weigh_absence(np.zeros(50), 1.0) < 1e-6
    assert weigh_presence(np.full(50, 9.0), 1.0) < 1e-6
