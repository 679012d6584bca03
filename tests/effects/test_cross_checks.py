"""Effects of real networks computed other ways: DoWhy, its causal model, and observation without patching."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from causalvae.effects.ablation import Ablation
from causalvae.effects.cross_checks import Case, CrossChecks, cross_check
from causalvae.effects.dowhy.network_model import PATHS, NetworkModel, arrow_strengths, sampled_effect
from causalvae.effects.mediation import arms_of, pair_effects
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.types import CrossCheck
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING
from tests.effects.synthetic import Array, Network, make_spec
from tests.effects.tiny_networks import run_tiny
from tests.targets import target

OWNER = Owner.intervention("via")
NATURAL = ("natural_direct_effect", "natural_indirect_effect")
LATENT = {"linear": ("latent[1]",), "interacting": ("latent[1]",), "bent": ("latent[1]",)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "mediators"),
    [*LATENT.items(), ("bent", ("latent[0]", "latent[1]"))],
    ids=["linear", "interacting", "non-linear", "set of mediators"],
)
def test_the_engines_effects_are_confirmed(
    kind: str, mediators: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result, measurements = run_tiny(tmp_path, kind, mediators)
    assert not result.warnings
    exact = {e.estimand: e.value for e in result.estimates if e.owner == OWNER and e.estimator == "exact"}
    assert exact.keys() >= PATHS.keys()
    by_way = {way: {c.estimand: c for c in result.checks if c.method == way} for way in ("dowhy", "gcm", "gcm sampled")}
    component = target(" + ".join(mediators))
    answers = {
        (use.role, use.component): measurements.values(use.arm, "answer") for use in measurements.plan.uses_of(OWNER)
    }
    base, counterfactual = answers["base", NOTHING], answers["counterfactual", NOTHING]
    truth = {
        "total_effect": counterfactual - base,
        "natural_direct_effect": answers["necessity", component] - base,
        "natural_indirect_effect": answers["sufficiency", component] - base,
        "total_indirect_effect": counterfactual - answers["necessity", component],
    }
    for estimand in PATHS:
        mean = truth[estimand].mean()
        for way in ("dowhy", "gcm"):
            found = by_way[way][estimand]
            assert found.value == pytest.approx(mean, abs=1e-9)
            assert found.agrees
            assert (found.owner, found.component, found.outcome) == (OWNER, component, "answer")
        sampled = by_way["gcm sampled"][estimand]
        assert sampled.value is not None
        assert abs(sampled.value - mean) < 4 * truth[estimand].std() / np.sqrt(10_000) + 1e-8
        expression = by_way["dowhy"][estimand].expression
        assert expression.startswith("backdoor: Derivative(Expectation(Y), ["), expression
    assert {arrow.parent for arrow in result.arrows} == {"treatment", "mediators"}
    assert sum(arrow.share for arrow in result.arrows) == pytest.approx(1.0)
    assert all(arrow.agrees and arrow.exact > 0 for arrow in result.arrows)


def test_a_linear_networks_effects_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Y = z0 + 2 z1 + z2 / 2 with z0 = dose, z1 = dose + ..., z2 = 2 dose / 5 + ...: by z1 twice the dose's change."""
    monkeypatch.chdir(tmp_path)
    settings = {"observational": True, "bootstrap": 200}
    result, measurements = run_tiny(tmp_path, "linear", ("latent[1]",), samples=500, estimation=settings)
    pairs = measurements.pairs[measurements.pairs["cohort"] == "raise"]
    change = (pairs["counterfactual:dose"] - pairs["base:dose"]).mean()
    expected = {"total_effect": 3.2 * change, "natural_direct_effect": 1.2 * change}
    expected["natural_indirect_effect"] = expected["total_indirect_effect"] = 2 * change
    for check in result.checks:
        if check.method in ("dowhy", "gcm"):
            assert check.value == pytest.approx(expected[check.estimand], rel=1e-4)
    # A linear network is the one that observation alone reads rightly.
    observed = {check.estimand: check for check in result.checks if check.method == "observational"}
    assert observed.keys() == {"total_effect", *NATURAL}
    for check in observed.values():
        assert check.lower is not None
        assert check.upper is not None
        assert check.lower <= check.exact <= check.upper
        assert check.agrees is None


def test_observation_alone_is_wrong_on_an_interacting_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"observational": True, "bootstrap": 200, "gcm": False}
    result, _ = run_tiny(tmp_path, "interacting", ("latent[1]",), samples=500, estimation=settings)
    assert not result.arrows
    assert {check.method for check in result.checks} == {"dowhy", "observational"}
    observed = {check.estimand: check for check in result.checks if check.method == "observational"}
    for estimand in NATURAL:
        check = observed[estimand]
        assert check.value is not None
        assert check.lower is not None
        assert check.value > 1.2 * check.exact
        assert check.lower > check.exact
        assert not check.refusal
    assert not result.warnings


def test_a_deterministic_mediator_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"observational": True, "dowhy": False}
    result, _ = run_tiny(tmp_path, "interacting", ("latent[0]",), latent="mean", estimation=settings)
    observed = [check for check in result.checks if check.method == "observational"]
    assert [check.estimand for check in observed] == list(NATURAL)
    for check in observed:
        assert check.value is None
        assert check.lower is None
        assert "latent[0] is a function of the treatment" in check.refusal
        assert check.exact > 0.1
    assert {check.method for check in result.checks} == {"observational"}


def crossing(z: Array) -> dict[str, Array]:
    return {"area": 5 + z[:, 0] + z[:, 1] + z[:, 0] * z[:, 1]}


def synthetic_case(period: float | None = None, shift: float = 0.0) -> CrossChecks:
    """Cross-checks of a network in numpy, whose exact indirect effects are off by `shift`."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(50, 2))
    spec = make_spec(attributes=("area",), dowhy=True)
    network = Network(spec, crossing, z, z + 0.5)
    network.mediation(OWNER, (0,))
    plan, measurements = network.finish()
    outcomes, arms = Outcomes(measurements), arms_of(plan, OWNER)
    effects = pair_effects(outcomes, arms, "area", period)
    effects = replace(effects, indirect=effects.indirect + shift)
    checks = CrossChecks()
    case = Case(effects, arms, Ablation(OWNER, component=target("latent[0]")), "pixels", period)
    cross_check(spec, measurements, outcomes, case, frozenset(), checks)
    return checks


def test_a_value_that_is_not_confirmed_is_warned_of() -> None:
    assert synthetic_case().warnings == ()
    checks = synthetic_case(shift=1e-6)
    wrong = [check for check in checks.checks if check.agrees is False]
    assert {(check.method, check.estimand) for check in wrong} == {
        ("dowhy", "natural_indirect_effect"),
        ("gcm", "natural_indirect_effect"),
    }
    assert len(checks.warnings) == 2
    assert all("natural indirect effect on area through latent[0]" in warning for warning in checks.warnings)
    by_regression, by_model = checks.warnings
    assert "(largest" not in by_regression and "(largest difference of any pair 1e-06). One" in by_model


def test_values_on_a_circle_have_no_causal_model() -> None:
    checks = synthetic_case(period=30.0)
    refused: list[CrossCheck] = [check for check in checks.checks if check.method == "gcm"]
    assert [check.estimand for check in refused] == list(PATHS)
    assert all(check.value is None and "circle" in check.refusal for check in refused)
    assert not checks.arrows
    assert not checks.warnings


def random_model(seed: int, n: int = 200) -> NetworkModel:
    return NetworkModel(np.random.default_rng(seed).normal(size=(2, 2, n)) + np.arange(4).reshape(2, 2, 1))


def test_sampled_effects_scatter_as_they_say() -> None:
    scores = []
    for seed in range(40):
        model = random_model(seed)
        found = sampled_effect(model, "natural_direct_effect", 500, seed)
        assert found.exact == pytest.approx((model.answers[0, 1] - model.answers[0, 0]).mean())
        scores.append((found.value - found.exact) / found.error)
    assert 0.7 < np.std(scores) < 1.35
    assert abs(np.mean(scores)) < 0.5
    assert sampled_effect(model, "total_effect", 500, 1) == sampled_effect(model, "total_effect", 500, 1)
    assert found.agrees
    for side in (-1, 1):
        assert not replace(found, exact=found.value + side * 4.5 * found.error).agrees


def test_arrow_strengths_are_variances_of_what_the_arrow_carries() -> None:
    model = random_model(7)
    y = model.answers
    # Randomising one of two equally frequent values, all else as it was, for every pair and value of the other.
    expected = {
        "treatment": np.var(y, axis=1, ddof=0).mean(),
        "mediators": np.var(y, axis=0, ddof=0).mean(),
    }
    for seed in range(3):
        for strength in arrow_strengths(model, 300, 300, seed):
            assert strength.exact == pytest.approx(expected[strength.name])
            assert abs(strength.value - strength.exact) < 4 * strength.error
            assert strength.error < 0.2 * strength.exact


def test_the_global_random_state_is_left_alone() -> None:
    np.random.seed(5)  # noqa: NPY002
    before = str(np.random.get_state())  # noqa: NPY002
    sampled_effect(random_model(1), "total_effect", 100, 3)
    arrow_strengths(random_model(1), 10, 10, 3)
    assert str(np.random.get_state()) == before  # noqa: NPY002
