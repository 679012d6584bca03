"""DoWhy under the crossed patch design: the exact values, and refuters that mean something."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest

from causalvae.effects.dowhy import (
    Contrast,
    DoWhyEffect,
    crossed_contrasts,
    estimate_with_dowhy,
    refute_with_dowhy,
)
from causalvae.effects.dowhy.quiet import quietly
from causalvae.effects.mediation import PairEffects, arms_of, pair_effects
from causalvae.effects.outcomes import Outcomes
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from tests.effects.synthetic import Array, Decode, Network, make_spec

OWNER = Owner.intervention("via")
ALL = ("placebo", "random_common_cause", "subset", "bootstrap")


def linear(z: Array) -> dict[str, Array]:
    return {"area": 400 + z @ np.array([2.0, -1.0, 0.5])}


def interacting(z: Array) -> dict[str, Array]:
    return {"area": z[:, 0] + 0.5 * z[:, 1] + 1.5 * z[:, 0] * z[:, 1]}


def hyperbolic(z: Array) -> dict[str, Array]:
    return {"area": np.tanh(np.tanh(z @ np.array([[1.0, -0.5], [0.7, 1.0], [-0.3, 0.8]])) @ np.array([1.0, -2.0]))}


def turning(z: Array) -> dict[str, Array]:
    return {"area": np.mod(z[:, 0] + 0.3 * z[:, 1], np.pi)}


def contrasts_of(
    decode: Decode, units: tuple[int, ...], period: float | None = None, n: int = 120
) -> tuple[PairEffects, dict[str, Contrast]]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 3))
    network = Network(make_spec(attributes=("area",)), decode, z, z + rng.normal(0.7, 0.3, size=z.shape))
    network.mediation(OWNER, units)
    plan, measurements = network.finish()
    outcomes, arms = Outcomes(measurements), arms_of(plan, OWNER)
    effects = pair_effects(outcomes, arms, "area", period)
    return effects, {contrast.estimand: contrast for contrast in crossed_contrasts(outcomes, arms, effects, period)}


@pytest.mark.parametrize(
    ("decode", "units", "period"),
    [
        (linear, (0,), None),
        (interacting, (1,), None),
        (hyperbolic, (0,), None),
        (hyperbolic, (0, 2), None),
        (turning, (0,), np.pi),
    ],
    ids=["linear", "interacting", "tanh", "set of mediators", "periodic"],
)
def test_dowhy_equals_the_exact_effects(decode: Decode, units: tuple[int, ...], period: float | None) -> None:
    effects, contrasts = contrasts_of(decode, units, period)
    exact = {
        "total_effect": effects.total,
        "natural_direct_effect": effects.direct,
        "natural_indirect_effect": effects.indirect,
        "total_indirect_effect": effects.total_indirect,
    }
    assert contrasts.keys() == exact.keys()
    for estimand, contrast in contrasts.items():
        effect = estimate_with_dowhy(contrast)
        size = max(1.0, float(np.abs(contrast.rows["Y"]).max()))
        assert effect.value == pytest.approx(exact[estimand].mean(), abs=1e-9 * size)
        assert effect.lower <= effect.value <= effect.upper
    assert "backdoor" in effect.expression


def test_the_interval_is_dowhys_and_follows_the_confidence() -> None:
    _, contrasts = contrasts_of(linear, (0,))
    wide, narrow = (estimate_with_dowhy(contrasts["total_effect"], level) for level in (0.99, 0.5))
    assert wide.upper - wide.lower > 2 * (narrow.upper - narrow.lower)


def test_a_value_that_differs_does_not_agree() -> None:
    _, contrasts = contrasts_of(linear, (0,))
    true = contrasts["natural_indirect_effect"]
    size = np.abs(true.rows["Y"]).max()
    assert estimate_with_dowhy(true).agrees
    for gap in (2e-9 * size, -2e-9 * size, np.nan):
        assert not estimate_with_dowhy(Contrast(true.estimand, true.treatment, true.rows, true.exact + gap)).agrees


def refuted_effect(decode: Decode = interacting, units: tuple[int, ...] = (0,)) -> DoWhyEffect:
    return estimate_with_dowhy(contrasts_of(decode, units)[1]["natural_indirect_effect"])


@pytest.mark.slow
def test_refuters_pass_on_a_real_effect() -> None:
    effect = refuted_effect()
    names = ALL
    results = refute_with_dowhy(effect, names, 30, 0, "area", OWNER)
    assert [result.refuter for result in results] == list(names)
    assert all(result.passed for result in results)
    placebo, common, subset, bootstrap = results
    # The placebo's effects are those of shuffled labels: around zero, as wide as the labels' noise.
    spread = effect.contrast.rows["Y"].std() * 2 / np.sqrt(len(effect.contrast.rows)) / np.sqrt(30)
    assert abs(placebo.refuted) < 4 * spread < abs(placebo.original)
    assert common.refuted == pytest.approx(effect.value, rel=0.05)
    assert subset.refuted == pytest.approx(effect.value, rel=0.1)
    assert subset.refuted != effect.value
    assert bootstrap.refuted == pytest.approx(effect.value, rel=0.2)
    assert bootstrap.refuted not in (effect.value, subset.refuted)
    assert all(result.original == effect.value and result.rule and result.owner == OWNER for result in results)


@pytest.mark.parametrize("name", ["subset", "bootstrap"])
def test_the_seed_decides_and_simulations_differ(name: str) -> None:
    effect = refuted_effect()
    once, again = (refute_with_dowhy(effect, (name,), 10, seed, "area", OWNER)[0] for seed in (1, 1))
    other = refute_with_dowhy(effect, (name,), 10, 2, "area", OWNER)[0]
    assert once == again
    assert once.refuted != other.refuted
    # With one and the same rows in every simulation the p-value would be zero or one half exactly, never in between.
    assert 0.05 < once.p_value < 0.5


def test_a_seed_may_be_of_any_size() -> None:
    effect = refuted_effect()
    large, same = (refute_with_dowhy(effect, ("subset",), 5, 2**63 - 1, "area", OWNER)[0] for _ in range(2))
    assert large == same
    assert large.refuted != refute_with_dowhy(effect, ("subset",), 5, 2**31 - 1, "area", OWNER)[0].refuted


def test_a_broken_estimate_fails_its_refuters() -> None:
    effect = refuted_effect()
    effect.fitted.value = effect.value + 10
    names = ("random_common_cause", "subset", "bootstrap")
    assert not any(result.passed for result in refute_with_dowhy(effect, names, 20, 0, "area", OWNER))


def test_an_effect_of_exactly_zero_passes() -> None:
    effect = refuted_effect(lambda z: {"area": np.full(len(z), 3.0)})
    assert abs(effect.value) < 1e-9
    assert all(result.passed for result in refute_with_dowhy(effect, ("placebo", "subset"), 5, 0, "area", OWNER))


def test_nothing_global_changes(capfd: pytest.CaptureFixture[str]) -> None:
    effect = refuted_effect()
    logger = logging.getLogger("dowhy")
    before = (list(warnings.filters), logger.level, logging.getLogger().level, str(np.random.get_state()))  # noqa: NPY002
    capfd.readouterr()
    refute_with_dowhy(effect, ALL, 3, 0, "area", OWNER)
    after = (list(warnings.filters), logger.level, logging.getLogger().level, str(np.random.get_state()))  # noqa: NPY002
    assert before == after
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


def test_an_unknown_refuter_is_named() -> None:
    with pytest.raises(CausalVAEError, match="CV506"):
        refute_with_dowhy(refuted_effect(), ("oracle",), 3, 0, "area", OWNER)


def test_the_regression_is_dowhys_and_refits_make_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    from dowhy.causal_estimators.linear_regression_estimator import LinearRegressionEstimator
    from statsmodels.regression.linear_model import RegressionResults

    effect = refuted_effect()
    rows = effect.contrast.rows[[effect.contrast.treatment, "Y"]]
    with quietly():
        plain = LinearRegressionEstimator(effect.identified, confidence_intervals=True).fit(rows)
        theirs = plain.estimate_effect(rows, treatment_value=1.0, control_value=0.0, target_units="ate")
    assert effect.value == theirs.value

    def refused(self: RegressionResults) -> str:
        raise AssertionError("a summary")

    monkeypatch.setattr(RegressionResults, "summary", refused)
    assert len(refute_with_dowhy(effect, ALL, 3, 0, "area", OWNER)) == len(ALL)
