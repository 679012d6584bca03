"""The observational mode: two regressions, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from causalvae.effects.mediation import arms_of
from causalvae.effects.observational import ObservedSamples, diagnose, estimate_from_samples
from causalvae.effects.observed import gather_samples
from causalvae.plan.owner import Owner
from causalvae.plan.types import Patch, Treatment
from causalvae.spec.value_source import make_source
from tests.effects.synthetic import Array, Network, make_spec


def with_mediators(samples: ObservedSamples, mediators: Array) -> ObservedSamples:
    """The same samples, with one other mediator."""
    return replace(samples, mediators=np.asarray(mediators)[:, None], names=("first",))


def linear_samples(n: int, seed: int = 0) -> ObservedSamples:
    """NDE 0.5 and NIE 1.5 * 2 - 0.5 = 2.5 for each unit of the treatment."""
    rng = np.random.default_rng(seed)
    treatment, covariates = rng.normal(size=n), rng.normal(size=(n, 2))
    mediators = np.stack([1.5 * treatment + covariates[:, 0], -0.5 * treatment], axis=1) + rng.normal(size=(n, 2))
    outcome = 3 + 0.5 * treatment + mediators @ np.array([2.0, 1.0]) + covariates[:, 1] + rng.normal(size=n)
    return ObservedSamples(treatment, mediators, outcome, covariates, ("first", "second"))


def by_hand(samples: ObservedSamples, rows: np.ndarray, change: float) -> np.ndarray:
    """TE, NDE and NIE of some rows by plain least squares."""
    t, m, y, w = (v[rows] for v in (samples.treatment, samples.mediators, samples.outcome, samples.covariates))
    ones = np.ones(len(rows))
    a = np.linalg.lstsq(np.column_stack([t, ones, w]), m, rcond=None)[0][0]
    slopes = np.linalg.lstsq(np.column_stack([t, m, ones, w]), y, rcond=None)[0]
    direct, indirect = slopes[0] * change, (a * slopes[1 : 1 + m.shape[1]]).sum() * change
    return np.array([direct + indirect, direct, indirect])


def test_estimates_and_intervals_are_those_of_plain_least_squares() -> None:
    samples = linear_samples(60)
    found = estimate_from_samples(samples, 2.0, 0.9)
    assert [effect.estimand for effect in found] == [
        "total_effect",
        "natural_direct_effect",
        "natural_indirect_effect",
    ]
    np.testing.assert_allclose([effect.value for effect in found], by_hand(samples, np.arange(60), 2.0), rtol=1e-9)
    without = np.stack([by_hand(samples, np.delete(np.arange(60), i), 2.0) for i in range(60)])
    error = np.sqrt(59 * without.var(axis=0))
    half = stats.t.ppf(0.95, 59) * error
    np.testing.assert_allclose([(e.upper - e.lower) / 2 for e in found], half, rtol=1e-8)
    np.testing.assert_allclose([(e.upper + e.lower) / 2 for e in found], [e.value for e in found], rtol=1e-12)


def test_intervals_cover_the_truth_of_a_linear_model() -> None:
    inside = np.zeros(3)
    for seed in range(60):
        found = estimate_from_samples(linear_samples(150, seed), 2.0, 0.9)
        inside += [e.lower <= truth <= e.upper for e, truth in zip(found, (6.0, 1.0, 5.0), strict=True)]
    # 60 draws at 0.9: fewer than 46 or all 60 of them would be one in a thousand.
    assert (inside >= 46).all()
    assert inside.sum() < 180


@pytest.mark.parametrize(
    ("name", "changed", "reason"),
    [
        ("a line of the treatment", lambda s: with_mediators(s, 2 * s.treatment + 1), "is a function of"),
        ("a parabola of the treatment", lambda s: with_mediators(s, s.treatment**2), "is a function of"),
        ("with covariates", lambda s: with_mediators(s, s.treatment + s.covariates[:, 0]), "collinear"),
        (
            "the treatment of mediators",
            lambda s: replace(s, treatment=s.mediators @ np.array([1.0, -2.0])),
            "treatment",
        ),
        ("two equal", lambda s: replace(s, mediators=s.mediators[:, [0, 0]]), "condition number"),
        ("nothing moves", lambda s: with_mediators(s, np.ones(len(s.treatment))), "does not vary"),
        ("treatment at rest", lambda s: replace(s, treatment=np.ones(len(s.treatment))), "does not vary"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(name: str, changed: object, reason: str) -> None:
    samples = linear_samples(400)
    assert diagnose(samples).refusal == ""
    found = diagnose(changed(samples))  # type: ignore[operator]
    assert reason in found.refusal, name


def test_a_function_of_a_treatment_with_levels_is_refused() -> None:
    samples = linear_samples(300)
    levels = np.asarray(np.round(np.clip(samples.treatment, -2, 2)), np.float64)
    bent = np.abs(levels) ** 1.5
    assert "is a function" in diagnose(with_mediators(replace(samples, treatment=levels), bent)).refusal
    noisy = bent + np.random.default_rng(1).normal(size=300)
    kept = diagnose(with_mediators(replace(samples, treatment=levels), noisy))
    assert kept.refusal == ""
    assert kept.by_treatment[0] < 0.9


def test_few_samples_are_refused() -> None:
    assert "too few" in diagnose(linear_samples(20)).refusal


def refusal_of(treatment: Treatment, site: str = "latent", period: float | None = None) -> str:
    z = np.random.default_rng(0).normal(size=(40, 2))

    def decode(latents: Array) -> dict[str, Array]:
        return {"area": latents.sum(axis=1)}

    network = Network(make_spec(attributes=("area",)), decode, z, z + 1)
    network.clean(Owner.intervention("via"))
    network.use(Owner.intervention("via"), "necessity", network.patched("counterfactual", (0,)), "m", "set")
    patch = (Patch(site, (0,), make_source("interchange")),)
    network.use(Owner.intervention("via"), "sufficiency", network.run("base", z, patch), "m", "set")
    network.cohorts = (replace(network.cohorts[0], treatment=treatment),)
    plan, measurements = network.finish()
    for column, values in {"latent:0": z[:, 0], "factor:scale": z[:, 1], "factor:x": z[:, 0]}.items():
        measurements.observations[column] = values
    gathered = gather_samples(
        network.spec, measurements, arms_of(plan, Owner.intervention("via")), "area", frozenset(), period
    )
    assert gathered.samples is None
    return gathered.refusal


def test_treatments_and_mediators_without_a_slope_are_refused() -> None:
    def do(factor: str | None) -> Treatment:
        return Treatment("resize", factor, None, "hold", "increase")

    assert "swaps whole samples" in refusal_of(do(None))
    assert "shape is categorical" in refusal_of(do("shape"))
    assert "orientation is cyclic" in refusal_of(do("orientation"))
    assert "on a circle" in refusal_of(do("scale"), period=3.0)
    assert "encoder.conv1" in refusal_of(do("scale"), site="encoder.conv1")
