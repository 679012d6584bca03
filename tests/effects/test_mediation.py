"""Mediation against closed forms, and its identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.mediation import PairEffects, arms_of, mediation_estimates, pair_effects, remainder_estimate
from causalvae.effects.outcomes import IMAGE, Outcomes, difference
from causalvae.effects.types import Estimate
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.report.notes import notes_words
from tests.effects.synthetic import Array, Decode, Network, make_spec
from tests.targets import target

OWNER = Owner.intervention("via")


def latents(n: int = 50, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 3))
    return z, z + rng.normal(1.0, 0.5, size=(n, 3))


def effects_of(
    decode: Decode, *sets: tuple[int, ...], outcome: str = "area", period: float | None = None
) -> PairEffects:
    network = Network(make_spec(attributes=("area",)), decode, *latents())
    network.mediation(OWNER, *sets)
    plan, measurements = network.finish(shuffle=True)
    return pair_effects(Outcomes(measurements), arms_of(plan, OWNER), outcome, period)


def named(estimates: list[Estimate]) -> dict[str, Estimate]:
    return {estimate.estimand: estimate for estimate in estimates}


def test_linear_network_in_closed_form() -> None:
    weights = np.array([2.0, -1.0, 0.5])
    effects = effects_of(lambda z: {"area": z @ weights}, (0, 2))
    z, z_cf = latents()
    step = z_cf - z
    np.testing.assert_allclose(effects.total, step @ weights, atol=1e-12)
    np.testing.assert_allclose(effects.indirect, 2.0 * step[:, 0] + 0.5 * step[:, 2], atol=1e-12)
    np.testing.assert_allclose(effects.direct, -step[:, 1], atol=1e-12)
    np.testing.assert_allclose(effects.total_indirect, effects.indirect, atol=1e-12)
    np.testing.assert_allclose(effects.interaction, 0, atol=1e-12)


def test_interacting_network_in_closed_form() -> None:
    # Y = 3 t m: with t direct and m the mediator, NIE = 3 t dm, NDE = 3 m dt, interaction = 3 dt dm.
    effects = effects_of(lambda z: {"area": 3 * z[:, 0] * z[:, 1]}, (1,))
    z, z_cf = latents()
    dt, dm = (z_cf - z)[:, 0], (z_cf - z)[:, 1]
    np.testing.assert_allclose(effects.indirect, 3 * z[:, 0] * dm, atol=1e-12)
    np.testing.assert_allclose(effects.direct, 3 * z[:, 1] * dt, atol=1e-12)
    np.testing.assert_allclose(effects.interaction, 3 * dt * dm, atol=1e-12)
    np.testing.assert_allclose(effects.total_indirect, 3 * z_cf[:, 0] * dm, atol=1e-12)


@pytest.mark.parametrize("outcome", ["area", IMAGE])
def test_the_parts_add_up(outcome: str) -> None:
    network = Network(
        make_spec(attributes=("area",)),
        lambda z: {"area": np.tanh(z).sum(axis=1) ** 2},
        *latents(),
        image=lambda z: np.tanh(z @ np.arange(12.0).reshape(3, 4) / 6),
    )
    network.mediation(OWNER, (0, 1))
    plan, measurements = network.finish()
    effects = pair_effects(Outcomes(measurements), arms_of(plan, OWNER), outcome)
    whole = effects.direct + effects.indirect + effects.interaction
    np.testing.assert_allclose(whole, effects.total, atol=1e-12)
    np.testing.assert_allclose(effects.interaction, effects.total_indirect - effects.indirect, atol=1e-12)
    assert np.abs(effects.interaction).max() > 0.01


def test_image_products_are_inner_products() -> None:
    def image(z: Array) -> Array:
        return np.tanh(z @ np.arange(12.0).reshape(3, 4) / 6)

    z, z_cf = latents()
    network = Network(make_spec(attributes=("area",)), lambda z: {"area": z[:, 0]}, z, z_cf, image=image)
    network.mediation(OWNER, (0,))
    plan, measurements = network.finish()
    effects = pair_effects(Outcomes(measurements), arms_of(plan, OWNER), IMAGE)
    mixed, held = z.copy(), z_cf.copy()
    mixed[:, 0], held[:, 0] = z_cf[:, 0], z[:, 0]
    total = image(z_cf) - image(z)
    indirect, lost = image(mixed) - image(z), image(z_cf) - image(held)
    np.testing.assert_allclose(effects.indirect * effects.total, (indirect * total).sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(effects.total_indirect * effects.total, (lost * total).sum(axis=1), atol=1e-12)
    estimates = named(mediation_estimates(effects, PairedBootstrap(effects.n), Ablation(OWNER), "pixel L2"))
    assert estimates["mediated_share"].value == pytest.approx((indirect * total).sum() / (total**2).sum())
    assert estimates["necessity"].value == pytest.approx((lost * total).sum() / (total**2).sum())
    assert estimates["total_effect"].p_value is None
    assert "mediated_share_ratio_of_means" not in estimates


def test_period_wraps_differences() -> None:
    change = difference(np.array([3.0, 0.1, np.pi / 2]), np.array([0.1, 3.0, 0.0]), np.pi)
    np.testing.assert_allclose(change, [2.9 - np.pi, np.pi - 2.9, np.pi / 2], atol=1e-12)
    # A turn of 0.4 that crosses the seam is 0.4, and not 0.4 - pi; each latent turns by half of it.
    z = np.full((6, 2), 1.5)
    z[:, 1] += np.linspace(0, 0.01, 6)
    network = Network(
        make_spec(attributes=("area",)), lambda z: {"area": np.mod(z.sum(axis=1), np.pi)}, z, z + 0.2
    )  # fmt: skip
    network.mediation(OWNER, (0,))
    plan, measurements = network.finish()
    effects = pair_effects(Outcomes(measurements), arms_of(plan, OWNER), "area", np.pi)
    np.testing.assert_allclose(effects.total, 0.4, atol=1e-12)
    np.testing.assert_allclose(effects.indirect, 0.2, atol=1e-12)
    np.testing.assert_allclose(effects.total_indirect, 0.2, atol=1e-12)
    np.testing.assert_allclose(effects.interaction, 0.0, atol=1e-12)
    plain = pair_effects(Outcomes(measurements), arms_of(plan, OWNER), "area")
    assert np.abs(plain.total - 0.4).max() > 3


def test_estimates_say_what_they_are() -> None:
    effects = effects_of(lambda z: {"area": 3 * z[:, 0] * z[:, 1] + z[:, 2]}, (1,))
    ablation = Ablation(OWNER, "resize", target("latent[1]"), "set", "interchange", seed=4, confidence=0.9)
    boot = PairedBootstrap(effects.n, 300, 0.9, 4)
    estimates = named(mediation_estimates(effects, boot, ablation, "pixels"))
    te, nie, tie = effects.total, effects.indirect, effects.total_indirect
    assert estimates["natural_indirect_effect"].value == pytest.approx(nie.mean())
    assert estimates["mediated_share"].value == pytest.approx((nie * te).sum() / (te**2).sum())
    assert estimates["necessity"].value == pytest.approx((tie * te).sum() / (te**2).sum())
    assert estimates["mediated_share_ratio_of_means"].value == pytest.approx(nie.mean() / te.mean())
    large = np.abs(te) >= 0.1 * np.sqrt(np.mean(te**2))
    ratios = estimates["mediated_share_mean_of_ratios"]
    assert ratios.value == pytest.approx((nie[large] / te[large]).mean())
    assert ratios.n == large.sum()
    assert "quartiles" in notes_words(ratios.notes)
    indirect = estimates["natural_indirect_effect"]
    assert (indirect.unit, indirect.component.label, indirect.direction, indirect.source) == (
        "pixels", "latent[1]", "denoising", "interchange",
    )  # fmt: skip
    assert (indirect.seed, indirect.confidence, indirect.treatment) == (4, 0.9, "resize")
    assert not estimates["total_effect"].component
    assert indirect.lower is not None and indirect.lower < indirect.value < (indirect.upper or -np.inf)


def test_a_treatment_without_effect_has_no_shares() -> None:
    effects = effects_of(lambda z: {"area": np.zeros(len(z))}, (0,))
    estimates = named(mediation_estimates(effects, PairedBootstrap(effects.n), Ablation(OWNER), ""))
    assert estimates["total_effect"].value == 0
    assert estimates["total_effect"].p_value == 1
    assert "mediated_share" not in estimates


def test_an_outcome_that_nobody_asked_for_and_nothing_moves_has_no_shares() -> None:
    effects = effects_of(lambda z: {"area": 1e-5 * z[:, 0]}, (0,))
    boot = PairedBootstrap(effects.n)
    asked = named(mediation_estimates(effects, boot, Ablation(OWNER), "", sd=1.0))
    unasked = named(mediation_estimates(effects, boot, Ablation(OWNER), "", sd=1.0, declared=False))
    assert "almost no effect" in notes_words(asked["mediated_share"].notes)
    assert set(asked) - set(unasked) == {estimand for estimand, e in asked.items() if e.unit == "share"}
    assert "almost no effect" in notes_words(unasked["total_effect"].notes)
    moved = named(mediation_estimates(effects, boot, Ablation(OWNER), "", sd=1e-4, declared=False))
    assert "mediated_share" in moved and "hardly" not in notes_words(moved["total_effect"].notes)


def test_pairs_where_the_outcome_is_undefined_are_left_out_and_counted() -> None:
    effects = effects_of(lambda z: {"area": np.where(z[:, 0] > 2.0, np.nan, z[:, 0])}, (0,))
    assert effects.dropped > 0
    assert effects.n + effects.dropped == 50
    estimates = named(mediation_estimates(effects, PairedBootstrap(effects.n), Ablation(OWNER), ""))
    assert f"{effects.dropped} pairs excluded because their outcome is undefined" in notes_words(
        estimates["total_effect"].notes
    )


def test_remainder_is_what_only_the_set_carries() -> None:
    network = Network(make_spec(attributes=("area",)), lambda z: {"area": z[:, 0] * z[:, 1]}, *latents())
    network.mediation(OWNER, (0, 1), (0,), (1,))
    plan, measurements = network.finish()
    outcomes = Outcomes(measurements)
    joint, first, second = (pair_effects(outcomes, arms_of(plan, OWNER, k), "area") for k in range(3))
    z, z_cf = latents()
    step = z_cf - z
    rest = remainder_estimate(joint, [first, second], PairedBootstrap(50), Ablation(OWNER), "")
    assert rest.value == pytest.approx((step[:, 0] * step[:, 1]).mean())


def test_missing_arms_and_rows_are_named() -> None:
    network = Network(make_spec(attributes=("area",)), lambda z: {"area": z[:, 0]}, *latents())
    network.mediation(OWNER, (0,))
    plan, measurements = network.finish()
    with pytest.raises(CausalVAEError, match="CV502"):
        arms_of(plan, Owner.intervention("other"))
    with pytest.raises(CausalVAEError, match="CV502"):
        arms_of(plan, OWNER, 3)
    object.__setattr__(measurements, "outcomes", measurements.outcomes.drop(index=7))
    with pytest.raises(CausalVAEError, match="CV501"):
        Outcomes(measurements)
    object.__setattr__(measurements, "outcomes", measurements.outcomes.query("arm != @plan.arms[0].id"))
    with pytest.raises(CausalVAEError, match="not measured"):
        pair_effects(Outcomes(measurements), arms_of(plan, OWNER), "area")


def test_a_share_that_rests_on_few_pairs_says_so() -> None:
    total = np.full(64, 0.1)
    even = PairEffects("area", total, total * 0, total, total)
    uneven = replace(even, total=np.where(np.arange(64) < 3, 10.0, total))
    for effects, expected in ((even, False), (uneven, True)):
        shares = mediation_estimates(effects, PairedBootstrap(64, 200), Ablation(OWNER), "pixels")
        (share,) = (e for e in shares if e.estimand == "mediated_share")
        assert ("as with 3 pairs of equal effects" in notes_words(share.notes)) == expected


def test_an_interval_that_rests_on_few_failing_pairs_says_so() -> None:
    def said(total: Array, indirect: Array) -> bool:
        effects = PairEffects("area", total, total - indirect, indirect, indirect)
        shares = mediation_estimates(effects, PairedBootstrap(len(total), 200), Ablation(OWNER), "pixels")
        (share,) = (e for e in shares if e.estimand == "mediated_share")
        return "few pairs differ from the others, as many as" in notes_words(share.notes)

    rng = np.random.default_rng(0)
    total = 1 + rng.random(96)
    fails = np.arange(96) < 2
    assert said(total, np.where(fails, 0.0, total))
    # What hardly differs, and what differs everywhere, rests on all pairs.
    assert not said(total, np.where(fails, 0.99 * total, total))
    assert not said(total, 0.7 * total + 0.1 * rng.standard_normal(96))
    assert not said(total, total)
