"""Verdicts on planted circuits: right, wrong, unsettled and meaningless ones."""

from __future__ import annotations

import re
from typing import Any

import networkx as nx
import numpy as np
import pytest

from causalvae.circuits import ClaimTest, Minimality, Rivals, Verdict, judge
from causalvae.circuits.hypothesis import BoundTest
from causalvae.circuits.types import Place
from causalvae.circuits.verdict import Evidence, _refute, decide
from causalvae.plan.owner import Owner
from causalvae.plan.types import ClaimDesign
from causalvae.report.verdict_words import _number, _range, reason
from causalvae.spec.schema import Bound, Hypothesis
from causalvae.statistics.multiplicity import adjust
from tests.effects.synthetic import Array, Decode, Network, make_hypothesis, make_spec

LATENTS = 6
GOOD = {"mediated_share": {"at_least": 0.7}, "off_target": {"at_most": 0.2}}


class Declared:
    """The declared graph scale -> area, x -> place."""

    def __init__(self) -> None:
        self.graph = nx.DiGraph([("scale", "area"), ("x", "place")])

    def descendants(self, node: str) -> frozenset[str]:
        return frozenset(nx.descendants(self.graph, node))


def carried_by_first(z: Array) -> dict[str, Array]:
    """Area through latent 0 almost alone, place through latent 1 with a trace of latent 0."""
    return {"area": 3 * z[:, 0] + 0.3 * z[:, 2], "place": z[:, 1] + 0.05 * z[:, 0]}


def judge_claims(
    *claims: dict[str, Any], decode: Decode = carried_by_first, n: int = 80, seed: int = 0,
    circuits: dict[str, tuple[int, ...]] | None = None, spread: float = 0.3,
) -> tuple[Verdict, ...]:  # fmt: skip
    spec = make_spec(hypotheses=claims, bootstrap=400)
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, LATENTS))
    # The treatment moves latent 0, and the others by `spread` as much.
    z_cf = z + rng.normal(1, 0.4, size=z.shape) * np.where(np.arange(LATENTS) == 0, 1, spread)
    network = Network(spec, decode, z, z_cf, observed=rng.normal(size=(400, LATENTS)))
    for claim in claims:
        network.hypothesis(claim["name"], (circuits or {}).get(claim["name"], (0,)))
    return judge(network.context(), Declared())


def test_a_planted_circuit_is_supported() -> None:
    (verdict,) = judge_claims(make_hypothesis(expect=GOOD, claim="Size runs through latent 0."))
    assert verdict.status == "supported"
    assert [part.label for part in verdict.circuit] == ["latent[0]"]
    assert [test.name for test in verdict.tests] == ["mediated_share", "pairwise_fit", "off_target"]
    assert [(test.at_least, test.at_most) for test in verdict.tests] == [
        (0.7, pytest.approx(1.3)), (pytest.approx(0.49), None), (None, 0.2),
    ]  # fmt: skip
    assert verdict.rivals is not None
    assert (verdict.rivals.kind, verdict.rivals.count, verdict.rivals.as_well) == ("every", LATENTS - 1, 0)
    assert verdict.p_support == max(verdict.rivals.p_value or 0, *(test.p_support for test in verdict.tests))
    assert verdict.needed is None
    assert verdict.claim == "Size runs through latent 0."
    assert reason(verdict).startswith("The circuit carries 9")
    assert "(95% interval 9" in reason(verdict)
    assert "the claim asked for at least 70%" in reason(verdict)
    assert "0 of 5 other circuits of its size do as well; the best of them is latent[2]" in reason(verdict)


def test_a_planted_wrong_circuit_is_refuted() -> None:
    (verdict,) = judge_claims(make_hypothesis(circuit=["latent[1]"], expect=GOOD), circuits={"claim": (1,)})
    assert verdict.status == "refuted"
    assert verdict.p_refute < 1e-6
    # Area does not depend on latent 1 at all, and what latent 1 does is off target; either breaks the claim.
    assert reason(verdict)[0].isupper() and "the claim asked for at least 70%" in reason(verdict)


def test_a_rival_that_does_as_well_makes_a_claim_unspecific() -> None:
    # Two latents that the treatment moves alike, of which the larger counts: each alone is the whole effect.
    def either(z: Array) -> dict[str, Array]:
        return {"area": np.maximum(z[:, 0], z[:, 1]), "place": z[:, 2]}

    claim = make_hypothesis()
    spec = make_spec(hypotheses=[claim], bootstrap=400)
    rng = np.random.default_rng(0)
    z = 0.05 * np.abs(rng.normal(size=(80, LATENTS)))
    z_cf = z.copy()
    z_cf[:, :2] = 0.6 + 0.4 * rng.random((80, 1))
    network = Network(spec, either, z, z_cf)
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    assert verdict.status == "unspecific"
    assert verdict.rivals is not None and verdict.rivals.meets and verdict.rivals.as_well == 1
    assert verdict.p_bounds < 0.05 < verdict.p_support
    assert (
        "so the circuit is sufficient, but it is not the only one; 1 of 5 other circuits of its size does as well"
        in (reason(verdict))
    )
    assert "such as latent[1]" in reason(verdict)


def test_a_rival_that_is_near_but_does_not_meet_the_claim_leaves_it_open() -> None:
    # Latent 1 carries a little less than latent 0 and lies about the bound itself.
    def halves(z: Array) -> dict[str, Array]:
        return {"area": 0.55 * z[:, 0] + 0.52 * z[:, 1], "place": z[:, 2]}

    claim = make_hypothesis(expect={"mediated_share": {"at_least": 0.5}, "off_target": {"at_most": 0.2}})
    spec = make_spec(hypotheses=[claim], bootstrap=400)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, LATENTS))
    z_cf = z + rng.normal(1, 0.3, size=(80, 1)) * (np.arange(LATENTS) < 2)
    network = Network(spec, halves, z, z_cf)
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    assert verdict.status == "inconclusive"
    assert verdict.rivals is not None and verdict.rivals.as_well == 1 and not verdict.rivals.meets
    assert "so it is not shown to be the only such circuit (p = 1)" in reason(verdict)


def test_a_partial_claim_reports_rivals_and_does_not_judge_them() -> None:
    def even(z: Array) -> dict[str, Array]:
        return {"area": z.sum(axis=1), "place": z[:, 1]}

    little = {"mediated_share": {"at_least": 0.05}}
    (verdict,) = judge_claims(make_hypothesis(expect=little), decode=even, spread=1.0)
    assert verdict.status == "supported"
    assert verdict.rivals is not None and not verdict.rivals.judged and verdict.rivals.as_well >= 1
    (asked,) = judge_claims(make_hypothesis(expect={**little, "special": True}), decode=even, spread=1.0)
    assert asked.status == "unspecific"
    assert asked.rivals is not None and asked.rivals.judged
    (waived,) = judge_claims(make_hypothesis(expect={**GOOD, "special": False}))
    assert waived.rivals is not None and not waived.rivals.judged and waived.status == "supported"


def test_what_is_judged_by_default() -> None:
    for expect, special in (
        ({"mediated_share": {"at_least": 0.5}}, True),
        ({"mediated_share": {"at_least": 0.49}}, False),
        ({"mediated_share": {"at_most": 0.3}}, False),
        ({"mediated_share": {"at_least": 0.5, "at_most": 0.8}}, False),
        ({"mediated_share": {"at_least": 0.7, "at_most": 1.1}}, True),
        ({"mediated_share": {"at_least": 0.2}, "special": True}, True),
        ({"off_target": {"at_most": 0.3}}, False),
        ({"necessity": {"at_least": 0.9}}, False),
        ({"total_effect": {"at_least": 0.3}}, False),
    ):
        claim = Hypothesis.model_validate(make_hypothesis(expect=expect))
        assert claim.judges_special is special, expect
        assert not claim.judges_minimal
    none = make_hypothesis(null={"circuits": "none"})
    assert not Hypothesis.model_validate(none).judges_special


def test_the_bounds_that_a_share_implies() -> None:
    def bounds(**share: float) -> tuple[Bound | None, Bound | None]:
        claim = Hypothesis.model_validate(make_hypothesis(expect={"mediated_share": share}))
        return claim.share_bound, claim.fit_bound

    share, fit = bounds(at_least=0.9)
    assert share is not None and fit is not None
    assert (share.at_least, share.at_most) == (0.9, pytest.approx(1.1))
    assert (fit.at_least, fit.at_most) == (pytest.approx(0.63), None)
    wide, _ = bounds(at_least=0.5)
    assert wide is not None and wide.at_most == pytest.approx(1.3)
    own, _ = bounds(at_least=0.7, at_most=1.05)
    assert own is not None and own.at_most == 1.05
    # Who allows twenty times the effect does not ask that the circuit fits it pair by pair.
    assert bounds(at_least=0.7, at_most=25)[1] is None
    assert bounds(at_most=0.3) == (Bound(at_most=0.3), None)


def test_a_circuit_that_others_cancel_is_refuted_and_they_are_named() -> None:
    def cancelled(z: Array) -> dict[str, Array]:
        return {"area": z[:, 0] - 0.95 * z[:, 1], "place": z[:, 2]}

    claims = (make_hypothesis(), make_hypothesis("both", ["latent[0]", "latent[1]"]))
    spec = make_spec(hypotheses=claims, bootstrap=400)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, LATENTS))
    z_cf = z + rng.normal(1, 0.3, size=(80, 1)) * (np.arange(LATENTS) < 2)
    network = Network(spec, cancelled, z, z_cf)
    network.hypothesis("claim", (0,))
    network.hypothesis("both", (0, 1))
    alone, together = judge(network.context(), Declared())
    assert (alone.status, together.status) == ("refuted", "supported")
    assert "it carries more than the whole effect, so something else cancels it: latent[1] (alone -1900%)" in (
        reason(alone)
    )
    (unit,) = alone.cancelling
    assert (unit.unit.label, unit.in_circuit) == ("latent[1]", False)
    assert unit.share == pytest.approx(-19)
    assert [(unit.unit.label, unit.in_circuit) for unit in together.cancelling] == [("latent[1]", True)]


def test_a_share_that_holds_on_average_alone_is_refuted() -> None:
    """Latent 0 carries twice the effect in half of the pairs, latent 1 taking half of it back, and else nothing."""

    def doubled(z: Array) -> dict[str, Array]:
        return {"area": np.where(z[:, 3] > 0, 2 * z[:, 0] - z[:, 1], z[:, 1]), "place": z[:, 2]}

    claim = make_hypothesis()
    spec = make_spec(hypotheses=[claim], bootstrap=400)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(192, LATENTS))
    z_cf = z + (np.arange(LATENTS) < 2)
    z_cf[:, 1] = z[:, 1] + np.where(z[:, 3] > 0, 1.0, 0.5)
    network = Network(spec, doubled, z, z_cf)
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    tests = {test.name: test for test in verdict.tests}
    assert tests["mediated_share"].value > 0.7
    assert tests["pairwise_fit"].value < 0.49 and tests["pairwise_fit"].p_refute < 0.01
    assert verdict.status == "refuted"


def test_too_few_pairs_are_counted() -> None:
    def noisy(z: Array) -> dict[str, Array]:
        return {"area": 3 * z[:, 0] + 1.6 * z[:, 2] * np.sign(z[:, 3]), "place": z[:, 1]}

    (verdict,) = judge_claims(
        make_hypothesis(expect={"mediated_share": {"at_least": 0.85}}, null={"circuits": "none"}),
        decode=noisy, n=26, spread=1.0,
    )  # fmt: skip
    assert verdict.status == "inconclusive"
    assert verdict.needed is not None and verdict.needed > 26
    assert f"about {verdict.needed} pairs would probably decide, 26 were run" in reason(verdict)


def test_fewer_than_24_pairs_decide_nothing() -> None:
    right, wrong = judge_claims(
        make_hypothesis(), make_hypothesis("wrong", ["latent[1]"]), circuits={"wrong": (1,)}, n=23
    )
    assert (right.status, wrong.status) == ("inconclusive", "inconclusive")
    assert "23 pairs are too few to judge a claim by, 24 are needed" in reason(right)
    assert [v.status for v in judge_claims(make_hypothesis(), n=24)] == ["supported"]


def test_a_treatment_without_effect_is_not_judged() -> None:
    def still(z: Array) -> dict[str, Array]:
        return {"area": np.round(z[:, 5] * 0), "place": z[:, 1]}

    (verdict,) = judge_claims(make_hypothesis(), decode=still)
    assert verdict.status == "inconclusive"
    assert "does not change area" in reason(verdict)
    assert verdict.rivals is not None and verdict.rivals.p_value == 1.0 and verdict.rivals.own is None
    assert verdict.errors == ()


def test_a_comparison_that_cannot_be_made_bars_support() -> None:
    # The treatment moves area in the later pairs only, on none of which circuits are compared.
    spec = make_spec(hypotheses=[make_hypothesis(null={"pairs": 40})])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, LATENTS))
    z_cf = z.copy()
    z_cf[40:, 0] += 1
    network = Network(spec, carried_by_first, z, z_cf)
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    assert verdict.tests[0].p_support < 1e-6
    assert (verdict.status, verdict.p_support, verdict.needed) == ("inconclusive", 1.0, None)
    assert "could not be compared with other circuits: the treatment changes nothing on these pairs" in reason(verdict)


def test_an_undefined_rival_counts_against_the_circuit_and_removes_no_pair() -> None:
    spec = make_spec(hypotheses=[make_hypothesis()])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, LATENTS))
    z_cf = z + rng.normal(1, 0.4, size=z.shape) * np.where(np.arange(LATENTS) == 0, 1, 0.3)

    def judge_with(undefined: int) -> Verdict:
        network = Network(spec, carried_by_first, z, z_cf)
        network.hypothesis("claim", (0,))
        context = network.context()
        measurements = context.measurements
        for use in context.plan.uses_of(Owner.hypothesis("claim"), "rival")[:undefined]:
            rows = (measurements.outcomes["arm"] == use.arm) & (measurements.outcomes["pair"] < 30)
            measurements.outcomes.loc[rows, "area"] = np.nan
        (verdict,) = judge(context, Declared())
        return verdict

    whole, broken = judge_with(0).rivals, judge_with(3)
    assert whole is not None and broken.rivals is not None and whole.own is not None and broken.rivals.own is not None
    assert broken.rivals.own.error == whole.own.error
    assert broken.rivals.errors == whole.errors[3:]
    assert (broken.rivals.undefined, broken.rivals.as_well, broken.rivals.p_value) == (3, 3, 1.0)
    assert broken.status == "inconclusive"


def test_a_treatment_without_effect_refutes_a_claim_of_one() -> None:
    spec = make_spec(hypotheses=[make_hypothesis(expect={"total_effect": {"at_least": 0.5}, **GOOD})])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, LATENTS))
    z_cf = z.copy()
    z_cf[:, 1] += 1
    network = Network(spec, carried_by_first, z, z_cf)
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    assert verdict.status == "refuted"
    assert reason(verdict).startswith("The treatment moves area by 0.00 sd on average")
    assert "so there is no effect to share out" in reason(verdict)


def test_necessity_and_total_effect_are_tested_and_rivals_are_listed() -> None:
    expect = {"necessity": {"at_least": 0.7}, "total_effect": {"at_least": 0.5, "at_most": 3}}
    (verdict,) = judge_claims(make_hypothesis(expect=expect))
    assert verdict.status == "supported"
    assert [test.name for test in verdict.tests] == ["necessity", "total_effect"]
    assert verdict.rivals is not None and not verdict.rivals.judged and verdict.rivals.count == LATENTS - 1
    assert "other circuits" not in reason(verdict)
    assert re.search(r"\b9\d(\.\d)?% of the effect is lost if the circuit is held at its base value", reason(verdict))
    assert "the claim asked for 0.50 to 3.00 sd" in reason(verdict)


def bound_test(p_refute: float, outside: bool, *, n: int = 60, needed: int | None = None) -> BoundTest:
    place: Place = "outside" if outside else "across"
    return BoundTest(ClaimTest("necessity", 0.7, None, 0.5, 0.4, 0.6, 1.0, p_refute, n, place=place), "refute", needed)


def evidence(*families: tuple[BoundTest, ...]) -> list[Evidence]:
    claim = Hypothesis.model_validate(make_hypothesis(null={"circuits": "none"}))
    return [Evidence(claim, ClaimDesign(()), bounds) for bounds in families]


def decided(*families: tuple[BoundTest, ...]) -> tuple[Verdict, ...]:
    return decide(evidence(*families))


def test_any_broken_bound_refutes_whichever_has_the_smallest_p_value() -> None:
    # The smallest p-value belongs to a bound whose interval still touches it; another is broken beyond doubt.
    touching, broken = bound_test(1e-6, outside=False), bound_test(1e-4, outside=True)
    (verdict,) = decided((touching, broken))
    assert (verdict.status, verdict.p_refute) == ("refuted", pytest.approx(2e-6))
    assert decided((touching,))[0].status == "inconclusive"
    # Broken, but not at the level that the number of bounds and of hypotheses leaves it.
    assert decided((touching, bound_test(0.03, outside=True)))[0].status == "inconclusive"
    weak = bound_test(0.01, outside=True)
    other = (bound_test(0.9, outside=False),)
    assert decided((touching, weak))[0].status == "refuted"
    assert [v.status for v in decided((touching, weak), other, other)] == ["inconclusive"] * 3
    assert [v.p_refute for v in decided((touching, weak), other, other)] == pytest.approx([6e-6, 1.0, 1.0])


def test_refuting_by_bound_agrees_with_holm_over_hypotheses() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        families = [tuple(bound_test(float(p), True) for p in rng.random(3) ** 6) for _ in range(4)]
        plain = adjust([min(1.0, 3 * min(b.test.p_refute for b in bounds)) for bounds in families], "holm")
        found = evidence(*families)
        assert [min(_refute(found, k)) for k in range(4)] == pytest.approx(plain)
        assert [v.status == "refuted" for v in decided(*families)] == [p <= 0.05 for p in plain]


def shown(p_support: float, p_refute: float = 1.0) -> BoundTest:
    test = ClaimTest("mediated_share", 0.7, 1.3, 0.9, 0.8, 1.0, p_support, p_refute, 60, place="inside")
    return BoundTest(test, "support", None)


def test_the_statuses_have_a_precedence() -> None:
    plain = Hypothesis.model_validate(make_hypothesis())
    minimal = Hypothesis.model_validate(make_hypothesis(expect={"mediated_share": {"at_least": 0.7}, "minimal": True}))
    members = ClaimDesign((), members=((),) * 3)  # type: ignore[arg-type]
    like, unlike = (Rivals("every", judged=True, count=3, p_value=p, meets=p > 0.05, as_well=0) for p in (1.0, 0.001))

    def without(p_needed: float, p_useless: float) -> Minimality:
        return Minimality(True, 0.05, (), p_needed, p_useless, None, (), 0.95, 60)

    def status(claim: Hypothesis, rivals: Rivals, p_bounds: float, found: Minimality | None = None) -> str:
        return decide([Evidence(claim, members, (shown(p_bounds),), (), rivals, found)])[0].status

    assert status(plain, unlike, 0.001) == "supported"
    assert status(plain, like, 0.001) == "unspecific"
    assert status(plain, like, 0.2) == "inconclusive"
    assert status(minimal, unlike, 0.001, without(0.001, 1.0)) == "supported"
    assert status(minimal, unlike, 0.001, without(1.0, 0.001)) == "refuted"
    assert status(minimal, like, 0.001, without(1.0, 0.001)) == "refuted"
    assert status(minimal, unlike, 0.001, without(0.2, 0.3)) == "inconclusive"
    assert status(minimal, like, 0.001, without(0.2, 0.3)) == "unspecific"


def test_two_families_are_corrected_apart() -> None:
    claim = Hypothesis.model_validate(make_hypothesis())
    rivals = [Rivals("every", judged=True, count=3, p_value=p, meets=True) for p in (0.04, 0.9, 0.9)]
    verdicts = decide([Evidence(claim, ClaimDesign(()), (shown(0.01),), (), each) for each in rivals])
    assert [v.p_bounds for v in verdicts] == pytest.approx([0.03] * 3)
    assert verdicts[0].p_support == pytest.approx(0.12)
    assert [v.status for v in verdicts] == ["unspecific"] * 3


def test_an_estimate_clearly_outside_on_few_pairs_says_so() -> None:
    (verdict,) = decided((bound_test(0.07, outside=True, n=25),))
    assert verdict.status == "inconclusive"
    assert "clearly outside its bound, but on 25 pairs the evidence against the claim is too weak (p = 0.07" in reason(
        verdict
    )
    assert "too close" not in reason(verdict)
    (counted,) = decided((bound_test(0.07, outside=True, n=25, needed=38),))
    assert reason(counted).endswith("about 38 pairs would probably decide, 25 were run.")


def test_a_small_share_is_not_written_as_zero() -> None:
    assert _number(0.00038, "share") == "0.038%"
    assert _range(0.00034, 0.00044, "share") == "0.034 to 0.044%"
    assert _number(0.00002, "share") == "0%"
    assert _number(0.005, "share") == "0.5%"


def test_no_number_is_minus_zero() -> None:
    assert _range(-1e-5, 1e-5, "share") == "0.0 to 0.0%"
    assert _range(-0.0004, 0.012, "share") == "0 to 1.2%"
    assert _range(-1e-5, 0.5, "sd") == "0.00 to 0.50 sd"
    assert _number(-1e-5, "sd") == "0.00 sd"
    assert _range(0.7, 0.9, "share") == "70 to 90%"


def test_eleven_true_claims_are_all_supported() -> None:
    claims = [make_hypothesis(f"h{k}", expect={"mediated_share": {"at_least": 0.5 + 0.02 * k}}) for k in range(11)]
    judged = judge_claims(*claims)
    assert [verdict.status for verdict in judged] == ["supported"] * 11
    # The least p-value of 2,200 resamples, times eleven.
    rivals = judged[0].rivals
    assert rivals is not None and rivals.p_value == pytest.approx(1 / 2201)
    assert judged[0].p_support == pytest.approx(max(11 / 2201, 11 * judged[0].tests[0].p_support))


def test_a_claim_that_a_circuit_carries_little_is_supported() -> None:
    little = {"mediated_share": {"at_most": 0.3}}
    (verdict,) = judge_claims(make_hypothesis(circuit=["latent[4]"], expect=little), circuits={"claim": (4,)})
    assert verdict.status == "supported"
    assert verdict.rivals is not None and not verdict.rivals.judged and verdict.rivals.count == LATENTS - 1


def test_a_spec_without_hypotheses_has_no_verdicts() -> None:
    spec = make_spec()
    network = Network(spec, carried_by_first, np.zeros((3, LATENTS)), np.ones((3, LATENTS)))
    network.clean(Owner.intervention("resize"))
    assert judge(network.context(), Declared()) == ()


def test_the_image_can_be_an_outcome() -> None:
    claim = {**make_hypothesis(expect={"mediated_share": {"at_least": 0.7}}), "outcome": "image"}
    spec = make_spec(hypotheses=[claim])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, LATENTS))
    z_cf = z + rng.normal(1, 0.3, z.shape) * np.where(np.arange(LATENTS) == 0, 1, 0.3)
    network = Network(spec, carried_by_first, z, z_cf, image=lambda z: z * np.array([3.0, 0.1, 0.1, 0.1, 0.1, 0.1]))
    network.hypothesis("claim", (0,))
    (verdict,) = judge(network.context(), Declared())
    assert verdict.status == "supported"
    assert verdict.outcome == "image"
    # All of the change that the circuit leaves out counts, not the part along the total change alone.
    scale = np.array([3.0, 0.1, 0.1, 0.1, 0.1, 0.1])
    step = (z_cf - z) * scale
    error = np.sqrt((step[:, 1:] ** 2).sum() / (step**2).sum())
    assert verdict.errors[0].value == pytest.approx(error, rel=1e-6)
