"""Equivalence by distance of outcomes with several numbers, and shares and gaps of outcomes on a circle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from causalvae.circuits import Verdict, judge
from causalvae.effects import estimate_effects
from causalvae.effects.changes import VectorChanges
from causalvae.effects.context import open_context
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.scale import Vector
from causalvae.plan.owner import Owner
from causalvae.plan.types import Patch
from causalvae.spec.schema import VectorSection
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.circuits.test_verdict import LATENTS, Declared
from tests.effects.synthetic import Array, Network, make_hypothesis, make_spec

PERIOD = 360.0


def nearest_turn(angle: float) -> float:
    return min((angle + PERIOD * turn for turn in range(-4, 5)), key=abs)


def judge_image(image: Callable[[Array], Array], margin: float, outcome: str = "image") -> tuple[Verdict, Array, Array]:
    """The verdict on latent 0, and the images of TE and NIE, shape (n, numbers)."""
    spec = make_spec(hypotheses=[{**make_hypothesis(expect={"equivalent": {"at_most": margin}}), "outcome": outcome}])
    if outcome == "both":
        section = VectorSection(components=("area", "place"), scale="raw")
        spec = spec.model_copy(update={"graph": spec.graph.model_copy(update={"vectors": {"both": section}})})
    rng = np.random.default_rng(0)
    z = rng.normal(size=(120, LATENTS))
    z_cf = z.copy()
    z_cf[:, :2] += rng.normal(3, 0.3, (120, 2))
    network = Network(
        spec, lambda z: dict(zip(("area", "place"), image(z)[:, :2].T, strict=True)), z, z_cf, image=image
    )
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    alone = z.copy()
    alone[:, 0] = z_cf[:, 0]
    return verdict, image(z_cf) - image(z), image(alone) - image(z)


def across(z: Array) -> Array:
    """Latent 0 brings the whole change of the first number, and as much of the second, which latent 1 takes back."""
    return np.stack([z[:, 0], z[:, 0] - z[:, 1], np.zeros(len(z))], axis=1)


def halves(z: Array) -> Array:
    """Latent 0 does twice the change in half of the pairs and nothing in the others; latent 1 makes up for it."""
    twice = np.where(z[:, 5] > 0, 2.0, 0.0)
    return np.stack([twice * z[:, 0] + (1 - twice) * z[:, 1], np.zeros(len(z))], axis=1)


@pytest.mark.parametrize("image", [across, halves])
@pytest.mark.parametrize("outcome", ["image", "both"])
def test_what_moves_across_or_cancels_between_pairs_is_not_equivalent(
    image: Callable[[Array], Array], outcome: str
) -> None:
    verdict, total, alone = judge_image(image, 0.5, outcome)
    distance = [np.linalg.norm(one - other) for one, other in zip(alone, total, strict=True)]
    (test,) = verdict.tests
    assert test.value == pytest.approx(np.mean(distance), rel=1e-6)
    assert (test.at_least, test.at_most) == (None, 0.5)
    refuted = stats.ttest_1samp(distance, 0.5, alternative="greater")
    assert test.p_refute == pytest.approx(refuted.pvalue, rel=1e-6, abs=1e-12)
    assert verdict.status == "refuted"
    # The component along TE, on average, is within the margin.
    unit = total / np.linalg.norm(total, axis=1)[:, None]
    assert abs(((alone - total) * unit).sum(axis=1).mean()) < 0.5


def test_a_distance_below_the_margin_is_equivalent() -> None:
    verdict, _, _ = judge_image(lambda z: np.stack([z[:, 0], 0.05 * z[:, 1]], axis=1), 0.5)
    assert verdict.status == "supported" and verdict.tests[0].value == pytest.approx(0.15, abs=0.01)


def test_components_of_a_vector_are_each_counted_from_their_own_total_change() -> None:
    spec = make_spec()
    rng = np.random.default_rng(2)
    z, z_cf = rng.uniform(0, PERIOD, (2, 40, 2))
    network = Network(spec, lambda z: {"area": np.mod(z[:, 0], PERIOD), "place": z[:, 1]}, z, z_cf)
    arms = [network.run("base", z), network.run("counterfactual", z_cf)]
    noise = rng.normal(0, 10, z.shape)
    patch = (Patch("latent", (0, 1), make_source("interchange")),)
    near_cf, near_base = network.run("base", z_cf + noise, patch), network.run("counterfactual", z + noise, patch)
    outcomes = Outcomes(network.finish()[1])
    vector = Vector(("area", "place"), (1.0, 2.0), (PERIOD, None), "", 1.0)
    changes = VectorChanges(outcomes, arms[0].id, arms[1].id, vector)
    carried = changes.carried([near_cf.id], 40)[0]
    removed = changes.carried([near_base.id], 40, removed=True)[0]
    for pair in range(40):
        total = np.array([nearest_turn(z_cf[pair, 0] - z[pair, 0]), (z_cf[pair, 1] - z[pair, 1]) / 2])
        # The circle's share of the noise is counted from the total change, whatever turn it crosses.
        off = noise[pair] / [1, 2]
        assert carried[pair] == pytest.approx((total + off) @ total / np.linalg.norm(total))
        assert removed[pair] == pytest.approx((total - off) @ total / np.linalg.norm(total))
    assert np.abs(changes.between([near_cf.id], arms[0].id, 40)[0] - carried).max() > 100


def test_gaps_and_shares_on_a_circle_are_counted_from_the_total_effect() -> None:
    expect = {
        "equivalent": {"at_most": 30.0}, "mediated_share": {"at_least": 0.7}, "necessity": {"at_least": 0.7},
    }  # fmt: skip
    spec = make_spec(attributes=("area",), edges=(), hypotheses=[make_hypothesis(expect=expect)], bootstrap=200)
    rng = np.random.default_rng(1)
    z = np.zeros((60, 3))
    z[:, 0] = rng.uniform(0, PERIOD, 60)
    z_cf = z.copy()
    # TE is about 170 degrees, and of the circuit alone about 190, which is -170.
    z_cf[:, 0] += 190 + rng.normal(0, 3, 60)
    z_cf[:, 1] -= 20
    network = Network(spec, lambda z: {"area": np.mod(z[:, 0] + z[:, 1], PERIOD)}, z, z_cf)
    network.clean(Owner.intervention("resize"))
    network.hypothesis("claim", (0,))
    _, measurements = network.finish()
    context = open_context(spec, measurements.with_periods({"area": PERIOD}, {}), WholeOutput.of((1, 1, 1)))
    (verdict,) = judge(context, Declared())
    tests = {test.name: test for test in verdict.tests}
    gaps, carried, total = [], [], []
    for before, after in zip(z, z_cf, strict=True):
        te = nearest_turn(after[0] + after[1] - before[0] - before[1])
        miss = nearest_turn((after[0] - before[0]) - te)
        gaps.append(np.sign(te) * miss)
        carried.append(te + miss)
        total.append(te)
    share = np.dot(carried, total) / np.dot(total, total)
    assert tests["equivalent"].value == pytest.approx(np.mean(gaps)) == pytest.approx(20)
    assert share > 1.1
    assert tests["mediated_share"].value == tests["necessity"].value == pytest.approx(share)
    fit = 1 - np.square(gaps).sum() / np.square(total).sum()
    assert tests["pairwise_fit"].value == pytest.approx(fit) and fit > 0.9
    estimates = {estimate.estimand: estimate.value for estimate in estimate_effects(context).estimates}
    assert estimates["mediated_share"] == pytest.approx(share)
