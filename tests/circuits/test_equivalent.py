"""Equivalence of a circuit with the full model: two one-sided tests by hand, size and power, both directions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from causalvae.circuits import judge
from causalvae.circuits.hypothesis import assess_bound
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.report.verdict_words import reason
from causalvae.spec.schema import Bound
from tests.circuits.test_verdict import LATENTS, Declared, carried_by_first, judge_claims
from tests.circuits.test_verdict_size import most_allowed
from tests.effects.synthetic import Array, Network, make_hypothesis, make_spec


def test_it_is_two_one_sided_tests_of_the_difference_along_the_effect() -> None:
    claim = make_hypothesis(expect={"equivalent": {"at_most": 0.2}})
    spec = make_spec(hypotheses=[claim], bootstrap=400)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, LATENTS))
    z_cf = rng.normal(size=z.shape)
    network = Network(spec, carried_by_first, z, z_cf, observed=rng.normal(size=(400, LATENTS)), contrast="as_drawn")
    network.hypothesis("claim", (0,))

    (verdict,) = judge(network.context(), Declared())
    (test,) = verdict.tests
    gaps = []
    for before, after in zip(z, z_cf, strict=True):
        total = 3 * (after[0] - before[0]) + 0.3 * (after[2] - before[2])
        alone = 3 * (after[0] - before[0])
        gaps.append(np.sign(total) * (alone - total))
    low, high = stats.ttest_1samp(gaps, -0.2, alternative="greater"), stats.ttest_1samp(gaps, 0.2, alternative="less")
    assert test.value == pytest.approx(np.mean(gaps))
    assert test.p_support == pytest.approx(max(low.pvalue, high.pvalue))
    assert (test.at_least, test.at_most, test.unit) == (-0.2, 0.2, "attribute")
    assert verdict.status == "supported" and verdict.failing is not None
    assert "differs from the full model by" in reason(verdict)


def test_a_circuit_that_carries_nothing_is_not_equivalent_though_its_differences_cancel() -> None:
    claim = make_hypothesis(expect={"equivalent": {"at_most": 0.5}})
    spec = make_spec(hypotheses=[claim], bootstrap=400)
    rng = np.random.default_rng(0)
    z, z_cf = rng.normal(size=(200, LATENTS)), rng.normal(size=(200, LATENTS))
    network = Network(spec, carried_by_first, z, z_cf, contrast="as_drawn")
    network.hypothesis("claim", (1,))

    (verdict,) = judge(network.context(), Declared())
    assert verdict.status == "refuted" and verdict.tests[0].value < -2


def test_a_mean_that_many_pairs_miss_is_told_so() -> None:
    def halves(z: Array) -> dict[str, Array]:
        return {"area": np.where(z[:, 5] > 0, 2 * z[:, 0], 0 * z[:, 0]) + z[:, 1], "place": z[:, 2]}

    (verdict,) = judge_claims(
        make_hypothesis(expect={"equivalent": {"at_most": 1.5}}), decode=halves, n=200, spread=1.0
    )
    assert verdict.failing is not None and verdict.failing.is_common and "on average" in reason(verdict).lower()


def shown(gap: float, n: int, runs: int, seed: int) -> float:
    """How often a difference of mean `gap` and sd 1 is shown to lie within 0.3, at 0.05."""
    count = 0
    bootstrap = paired_bootstrap(n, 400, 0.95, 0)
    for run in range(runs):
        values = np.random.default_rng([seed, run]).normal(gap, 1, n)
        found = assess_bound(
            RatioColumns("equivalent", values, np.ones(n), "px"), Bound(at_least=-0.3, at_most=0.3), bootstrap, 0.05
        )
        count += found.inside and found.test.p_support <= 0.05
    return count / runs


def test_size_on_the_margin_and_power_at_zero() -> None:
    for gap in (-0.3, 0.3):
        assert shown(gap, 96, 200, 1) <= most_allowed(200, 0.05)
    assert shown(0.0, 192, 60, 2) > 0.9


@pytest.mark.simulation
@pytest.mark.parametrize("n", [48, 192])
def test_size_on_the_margin_over_many_draws(n: int) -> None:
    assert shown(0.3, n, 2000, 3) <= most_allowed(2000, 0.05)
