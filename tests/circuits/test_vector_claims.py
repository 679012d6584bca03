"""Claims about several attributes at once, and about the image: verdict, rivals, other methods and controls."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from causalvae.circuits import Verdict, judge
from causalvae.controls import control_checks
from causalvae.effects import estimate_effects, open_context
from causalvae.engine.measurements import Measurements
from causalvae.models.check import LoadCheck
from causalvae.plan.owner import Owner
from causalvae.plan.types import Patch, Plan
from causalvae.report.notes import notes_words
from causalvae.report.verdict_words import reason
from causalvae.spec.schema import Spec, VectorSection
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.effects.synthetic import Array, Network, make_hypothesis, make_spec

N, M, LATENTS = 80, 40, 6
WHOLE = WholeOutput.of((1, 1, 2))
CHECK = LoadCheck(reconstruction=10.0, mean_image=50.0, kl=5.0, images=8)
GOOD = {"mediated_share": {"at_least": 0.7}, "off_target": {"at_most": 0.2}, "total_effect": {"at_least": 0.5}}
NAMES = ("area", "place")


class Declared:
    """scale reaches area, and place only where `both` says so."""

    def __init__(self, both: bool = True) -> None:
        self.edges = [("scale", "area"), *([("scale", "place")] if both else [("x", "place")])]

    def descendants(self, node: str) -> frozenset[str]:
        return frozenset(nx.descendants(nx.DiGraph(self.edges), node))


def decode(z: Array) -> dict[str, Array]:
    """Latent 0 moves area and place; latent 1 place a little; area has ten times the units of place."""
    return {
        "area": 10 * (2 * z[:, 0] + 0.3 * z[:, 2]),
        "place": np.tanh(z[:, 0]) + 0.1 * z[:, 1],
        "other": z[:, 3],
    }


def image(z: Array) -> Array:
    return np.stack([decode(z)[name] for name in NAMES], axis=1)


def with_vector(spec: Spec, scale: str = "sd") -> Spec:
    section = VectorSection(components=NAMES, scale=scale)  # type: ignore[arg-type]
    return spec.model_copy(update={"graph": spec.graph.model_copy(update={"vectors": {"both": section}})})


def measured(
    outcome: str, scale: str = "sd", units: tuple[int, ...] = (0,), step: float = 1.0, **fields: Any
) -> tuple[Spec, Plan, Measurements, dict[str, Array]]:
    claim = make_hypothesis(outcome=outcome, **{"expect": GOOD, "null": {"pairs": M}, **fields})
    attributes = ("area", "place", "other")
    spec = with_vector(make_spec(attributes=attributes, edges=(), hypotheses=[claim], bootstrap=200), scale)
    rng = np.random.default_rng(3)
    z = rng.normal(size=(N, LATENTS))
    z_cf = z + rng.normal(step, 0.4, size=z.shape) * np.where(np.arange(LATENTS) == 0, 1, 0.2)
    network = Network(spec, decode, z, z_cf, image=image, observed=rng.normal(size=(400, LATENTS)))
    network.clean(Owner.intervention("resize"))
    network.hypothesis("claim", units)
    donor = rng.permutation(N)[:M]
    for index, (side, own, other) in enumerate((("base", z, z), ("counterfactual", z_cf, z))):
        latents = own[:M].copy()
        latents[:, list(units)] = other[donor][:, list(units)]
        arm = network.run(side, latents, (Patch("latent", units, make_source("resample", seed=0)),))
        network.use(Owner.hypothesis("claim"), "variant", arm, "latent[0]", "set", index)
    plan, found = network.finish()
    clean = {
        "base": z, "cf": z_cf, "held base": z[:M].copy(), "held cf": z_cf[:M].copy(), "observed": network.observed
    }  # fmt: skip
    for name in ("held base", "held cf"):
        clean[name][:, list(units)] = z[donor][:, list(units)]
    return spec, plan, found, clean  # type: ignore[return-value]


def judged(outcome: str, both: bool = True, **fields: Any) -> Verdict:
    spec, _, found, _ = measured(outcome, **fields)
    (verdict,) = judge(open_context(spec, found, WHOLE), Declared(both))
    return verdict


def sds() -> Array:
    observed = measured("both")[3]["observed"]
    return np.array([np.std(observed[name], ddof=1) for name in NAMES])  # type: ignore[call-overload]


def changes(start: Array, end: Array, divisors: Array) -> Array:
    return (image(end) - image(start)) / divisors


def test_a_planted_circuit_of_two_attributes_is_supported() -> None:
    verdict = judged("both")
    assert (verdict.status, verdict.outcome) == ("supported", "both")
    _, _, _, clean = measured("both")
    z, z_cf, sd = clean["base"], clean["cf"], sds()
    alone = z.copy()
    alone[:, 0] = z_cf[:, 0]
    total, part = changes(z, z_cf, sd), changes(z, alone, sd)
    tests = {test.name: test for test in verdict.tests}
    assert tests["mediated_share"].value == pytest.approx((part * total).sum() / (total**2).sum(), abs=1e-12)
    assert "(area, place), each in its standard deviations" in notes_words(tests["mediated_share"].notes)
    size = np.linalg.norm(total, axis=1).mean()
    assert tests["total_effect"].value == pytest.approx(size, abs=1e-12)
    assert "moves both by" in reason(verdict)


def test_components_out_of_reach_are_off_target() -> None:
    # Latent 0 moves place as much as area, and where only area is declared to follow, half of it is off target.
    inside, outside = judged("both"), judged("both", both=False)
    within = {test.name: test.value for test in inside.tests}["off_target"]
    beyond = {test.name: test.value for test in outside.tests}["off_target"]
    assert within == pytest.approx(0, abs=1e-12)
    assert beyond > 0.3


def test_the_errors_of_other_circuits_are_all_of_the_distance() -> None:
    verdict, (_, _, _, clean) = judged("both"), measured("both")
    z, z_cf, sd = clean["base"][:M], clean["cf"][:M], sds()
    total = changes(z, z_cf, sd)
    assert verdict.rivals is not None and verdict.rivals.own is not None
    found = []
    for latent in range(LATENTS):
        alone = z.copy()
        alone[:, latent] = z_cf[:, latent]
        found.append(float(np.sqrt(((total - changes(z, alone, sd)) ** 2).sum() / (total**2).sum())))
    assert verdict.rivals.own.error == pytest.approx(found[0], abs=1e-12)
    assert verdict.rivals.errors == pytest.approx(found[1:], abs=1e-12)


def test_other_ways_of_patching_by_hand() -> None:
    verdict, (_, _, _, clean) = judged("both"), measured("both")
    assert verdict.multiverse is not None
    sd = sds()
    total = changes(clean["base"][:M], clean["cf"][:M], sd)
    left = changes(clean["held base"], clean["held cf"], sd)
    share = float(((total - left) * total).sum() / (total**2).sum())
    values = {(way.source, way.direction): way.value for way in verdict.multiverse.variants}
    assert values["resample", "both"] == pytest.approx(share, abs=1e-12)


def test_the_image_of_two_numbers_is_their_raw_vector() -> None:
    expect = {"mediated_share": {"at_least": 0.7}, "necessity": {"at_least": 0.5}}
    vector, picture = judged("both", scale="raw", expect=expect), judged("image", expect=expect)
    assert vector.status == picture.status
    for first, second in zip(vector.tests, picture.tests, strict=True):
        assert second.value == pytest.approx(first.value, abs=1e-9)
        assert second.p_support == pytest.approx(first.p_support, abs=1e-9)
    assert vector.rivals is not None and picture.rivals is not None
    np.testing.assert_allclose(vector.rivals.errors, picture.rivals.errors, atol=1e-7)
    assert vector.multiverse is not None and picture.multiverse is not None
    for one, other in zip(vector.multiverse.variants, picture.multiverse.variants, strict=True):
        assert other.value == pytest.approx(one.value, abs=1e-9)


@pytest.mark.parametrize("scale", ["sd", "raw"])
def test_divisors_decide_what_counts(scale: str) -> None:
    found = {test.name: test.value for test in judged("both", scale=scale).tests}["mediated_share"]
    _, _, _, clean = measured("both")
    alone = clean["base"].copy()
    alone[:, 0] = clean["cf"][:, 0]
    shares = {}
    for name, divisors in (("sd", sds()), ("raw", np.ones(2))):
        total, part = (changes(clean["base"], end, divisors) for end in (clean["cf"], alone))
        shares[name] = float((part * total).sum() / (total**2).sum())
    assert found == pytest.approx(shares[scale], abs=1e-12)
    assert abs(shares["sd"] - shares["raw"]) > 1e-4


def test_a_wrong_circuit_is_refuted() -> None:
    verdict = judged("both", units=(1,), circuit=["latent[1]"])
    assert verdict.status == "refuted"


def test_a_treatment_that_moves_nothing_leaves_nothing_to_share() -> None:
    spec, _, _, _ = measured("both", expect={"mediated_share": {"at_least": 0.7}})
    z = np.random.default_rng(0).normal(size=(N, LATENTS))
    network = Network(spec, decode, z, z.copy(), observed=z)
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    assert verdict.status == "inconclusive"
    assert reason(verdict).startswith("The treatment does not change both")


def test_estimates_and_controls_of_such_a_claim() -> None:
    spec, _, found, _ = measured("both")
    mine = [
        e for e in estimate_effects(open_context(spec, found, WHOLE)).estimates if e.owner == Owner.hypothesis("claim")
    ]
    estimates = {e.estimand: e for e in mine}
    assert estimates["total_effect"].p_value is None and estimates["total_effect"].unit == "sd"
    assert estimates["mediated_share"].p_value is not None
    for outcome, unit in (("both", "sd"), ("image", "of the effect")):
        expect = {"mediated_share": {"at_least": 0.5}}
        context, copy = (
            open_context(spec, found, WHOLE)
            for spec, _, found, _ in (measured(outcome, expect=expect, step=step) for step in (1.0, 0.0))
        )
        checks = {check.name: check for check in control_checks(context, copy, CHECK)}
        random = checks["random weights: claim"]
        assert random.limit == f"below 0.05 {unit}" and random.value > 0.05 and not random.passed
