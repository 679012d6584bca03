"""The statistical controls of a run: what they find where there is something, nothing, and where values are missing."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.controls import _SHUFFLES, _shuffle_signs, control_checks, warn
from causalvae.engine.measurements import Measurements
from causalvae.models.check import LoadCheck
from causalvae.results import ControlCheck
from tests.effects.synthetic import Array, Decode, Network, make_hypothesis, make_spec

CHECK = LoadCheck(reconstruction=10.0, mean_image=50.0, kl=5.0, images=8)
SPEC = make_spec(hypotheses=(make_hypothesis(alpha=0.05),))


def decode(z: Array) -> dict[str, Array]:
    return {"area": z[:, 0], "place": z[:, 1]}


def measured(
    step: float, *, decoder: Decode = decode, n: int = 60, contrast: str = "increase", seed: int = 0
) -> Measurements:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    network = Network(SPEC, decoder, z, z + rng.normal(step, 1, size=z.shape), contrast=contrast)
    network.hypothesis("claim", (0,))
    return network.finish()[1]


def checks(measurements: Measurements, randomised: Measurements | None = None) -> dict[str, ControlCheck]:
    return {check.name: check for check in control_checks(SPEC, measurements, randomised, CHECK, {})}


def test_shuffled_labels_of_a_real_effect_are_centred_and_counted() -> None:
    check = checks(measured(2.0))["shuffled labels: claim"]
    assert check.passed and 0 < check.value < 4
    assert check.limit == "at most 4 standard errors"
    assert "whose mean effect is as large as the real one is 0." in check.description


def test_no_effect_is_no_failed_control() -> None:
    # By the t-test at 0.05, about one in twenty runs without an effect has one to shuffle; none of them may fail.
    shown = 0
    for seed in range(200):
        found = checks(measured(0.0, seed=seed))
        shown += "shuffled labels: claim" in found
        assert warn(tuple(found.values()), (), ()) == ()
    assert 1 <= shown <= 22


def test_labels_that_mean_nothing_are_not_shuffled() -> None:
    assert "shuffled labels: claim" not in checks(measured(2.0, contrast="as_drawn"))


def test_a_shuffle_turns_the_sign_of_some_effects() -> None:
    effects = np.array([1.0, 10.0, 100.0])
    means = _shuffle_signs(effects, np.random.default_rng(0))
    assert means.shape == (_SHUFFLES,)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    possible = np.sort(signs @ effects / 3)
    np.testing.assert_allclose(np.unique(means.round(9)), possible.round(9))
    for mean in possible:
        share = np.isclose(means, mean).mean()
        assert share == pytest.approx(1 / 8, abs=0.05)


def test_a_pipeline_that_leans_fails() -> None:
    class Leaning(np.random.Generator):
        """Swaps the labels of one pair in four."""

        def integers(self, *_: object, **__: object) -> np.ndarray:  # type: ignore[override]
            return (self.random((_SHUFFLES, 60)) < 0.25).astype(np.int8)

    means = _shuffle_signs(np.full(60, 1.0), Leaning(np.random.PCG64(0)))
    assert abs(means.mean()) > 4 * means.std(ddof=1) / np.sqrt(_SHUFFLES)


def test_undefined_effects_are_left_out() -> None:
    def patchy(z: Array) -> dict[str, Array]:
        return {"area": np.where(z[:, 1] > 1.5, np.nan, z[:, 0]), "place": z[:, 1]}

    def blank(z: Array) -> dict[str, Array]:
        return {"area": np.full(len(z), np.nan), "place": z[:, 1]}

    shuffled = checks(measured(2.0, decoder=patchy))["shuffled labels: claim"]
    assert np.isfinite(shuffled.value) and shuffled.passed
    whole = measured(2.0)
    assert checks(whole, measured(0.0, decoder=blank))["random weights: claim"].value == 0
    random = checks(whole, measured(2.0, decoder=patchy))["random weights: claim"]
    assert np.isfinite(random.value) and random.value > 0.05 and not random.passed
    assert "shuffled labels: claim" not in checks(measured(2.0, decoder=blank))


def test_a_random_copy_is_measured_in_the_trained_networks_sd() -> None:
    whole, random = measured(2.0), measured(0.0, decoder=lambda z: {"area": 1e-3 * z[:, 0], "place": z[:, 1]}, seed=1)
    check = checks(whole, random)["random weights: claim"]
    base, other = (
        random.values(random.plan.uses_of("hypothesis:claim", role)[0].arm, "area")
        for role in ("base", "counterfactual")
    )
    sd = whole.attribute_sd()["area"]
    assert check.value == pytest.approx(np.sqrt(np.mean((other - base) ** 2)) / sd)
    assert check.passed
