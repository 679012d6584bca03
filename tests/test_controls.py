"""The statistical controls of a run: what they find where there is something, nothing, and where values are missing."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.controls import control_checks, warn
from causalvae.effects import open_context
from causalvae.engine.measurements import Measurements
from causalvae.models.check import LoadCheck
from causalvae.plan.owner import Owner
from causalvae.results import ControlCheck
from causalvae.spec.whole_output import WholeOutput
from tests.effects.synthetic import Array, Decode, Network, make_hypothesis, make_spec

CHECK = LoadCheck(reconstruction=10.0, mean_image=50.0, kl=5.0, images=8)
WHOLE = WholeOutput.of((1, 1, 2))
SPEC = make_spec(hypotheses=(make_hypothesis(alpha=0.05),))


def decode(z: Array) -> dict[str, Array]:
    return {"area": z[:, 0], "place": z[:, 1]}


def measured(step: float, *, decoder: Decode = decode, n: int = 60, seed: int = 0) -> Measurements:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    network = Network(SPEC, decoder, z, z + rng.normal(step, 1, size=z.shape))
    network.hypothesis("claim", (0,))
    return network.finish()[1]


def checks(measurements: Measurements, randomised: Measurements | None = None) -> dict[str, ControlCheck]:
    context, copy = (None if each is None else open_context(SPEC, each, WHOLE) for each in (measurements, randomised))
    assert context is not None
    return {check.name: check for check in control_checks(context, copy, CHECK)}


def test_undefined_effects_are_left_out() -> None:
    def patchy(z: Array) -> dict[str, Array]:
        return {"area": np.where(z[:, 1] > 1.5, np.nan, z[:, 0]), "place": z[:, 1]}

    def blank(z: Array) -> dict[str, Array]:
        return {"area": np.full(len(z), np.nan), "place": z[:, 1]}

    whole = measured(2.0)
    nothing = checks(whole, measured(0.0, decoder=blank))
    assert nothing["random weights: claim"].value == 0
    assert "random weights, share: claim" not in nothing
    random = checks(whole, measured(2.0, decoder=patchy))["random weights: claim"]
    assert np.isfinite(random.value) and random.value > 0.05 and not random.passed


def test_the_share_in_a_random_copy_can_fail() -> None:
    """A copy in which the circuit carries the effect as well: then the claim says nothing of what was learned."""
    whole = measured(2.0)

    def elsewhere(z: Array) -> dict[str, Array]:
        return {"area": 0.1 * z[:, 0] + z[:, 1], "place": z[:, 1]}

    met, missed = (
        checks(whole, measured(2.0, decoder=decoder))["random weights, share: claim"] for decoder in (decode, elsewhere)
    )
    assert met.value == pytest.approx(1.0) and not met.passed
    assert missed.value < 0.3 and missed.passed
    assert met.limit == "outside 0.7 to 1.3, or another of its bounds broken"
    (warning,) = [text for text in warn((met, missed), (), ()) if "share" in text]
    assert "true of the architecture" in warning, "it says what the failure means"
    assert "random weights, share: claim" in warning
    assert "random weights, share: claim" not in checks(whole, measured(0.0, decoder=lambda z: decode(0 * z)))


def test_a_random_copy_is_measured_in_the_trained_networks_sd() -> None:
    whole, random = measured(2.0), measured(0.0, decoder=lambda z: {"area": 1e-3 * z[:, 0], "place": z[:, 1]}, seed=1)
    check = checks(whole, random)["random weights: claim"]
    base, other = (
        random.values(random.plan.uses_of(Owner.hypothesis("claim"), role)[0].arm, "area")
        for role in ("base", "counterfactual")
    )
    sd = whole.attribute_sd()["area"]
    assert check.value == pytest.approx(np.sqrt(np.mean((other - base) ** 2)) / sd)
    assert check.passed


def test_parameters_that_no_part_uses_are_warned_of_by_their_layers() -> None:
    (words,) = warn((), (), (), ("classifier.weight", "classifier.bias", "scale"))
    assert words.startswith("Neither encoding nor decoding uses these parts of the network: classifier, scale.")
    many = warn((), (), (), [f"layers.{k}.weight" for k in range(11)])[0]
    assert "layers.7 and 3 more." in many
