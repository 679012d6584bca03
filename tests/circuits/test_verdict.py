"""Verdicts on planted circuits: right, wrong, unsettled and meaningless ones."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from causalvae.circuits import ClaimTest, Verdict, holm, judge
from causalvae.circuits.hypothesis import BoundTest
from causalvae.circuits.verdict import Evidence, _decide, _refute
from causalvae.circuits.wording import _number, _range
from causalvae.spec.schema import Bound, Hypothesis
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
    *claims: dict[str, Any], decode: Decode = carried_by_first, n: int = 80, nulls: int = 99, seed: int = 0,
    circuits: dict[str, tuple[int, ...]] | None = None, spread: float = 0.3,
) -> tuple[Verdict, ...]:  # fmt: skip
    spec = make_spec(hypotheses=claims, bootstrap=400)
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, LATENTS))
    # The treatment moves latent 0, and the others by `spread` as much.
    z_cf = z + rng.normal(1, 0.4, size=z.shape) * np.where(np.arange(LATENTS) == 0, 1, spread)
    network = Network(spec, decode, z, z_cf, observed=rng.normal(size=(400, LATENTS)))
    for claim in claims:
        units = (circuits or {}).get(claim["name"], (0,))
        network.hypothesis(claim["name"], units, nulls=nulls, pairs=40, seed=seed)
    return judge(spec, *network.finish(), Declared())


def test_a_planted_circuit_is_supported() -> None:
    (verdict,) = judge_claims(make_hypothesis(expect=GOOD, claim="Size runs through latent 0."))
    assert verdict.status == "supported"
    assert verdict.circuit == ("latent[0]",)
    assert [test.name for test in verdict.tests] == ["mediated_share", "off_target", "null_circuits"]
    assert verdict.null is not None and verdict.null.p_value == 1 / 100
    assert verdict.p_support == 0.01
    assert verdict.needed is None
    assert verdict.claim == "Size runs through latent 0."
    assert verdict.reason.startswith("The circuit carries 9")
    assert "(95% interval 9" in verdict.reason
    assert "the claim asked for at least 70%; 0 of 99 random circuits of the same size do as well" in verdict.reason
    assert verdict.reason.endswith("at most 20% was allowed.")


def test_a_planted_wrong_circuit_is_refuted() -> None:
    (verdict,) = judge_claims(make_hypothesis(circuit=["latent[1]"], expect=GOOD), circuits={"claim": (1,)})
    assert verdict.status == "refuted"
    assert verdict.p_refute < 1e-6
    # Area does not depend on latent 1 at all, and what latent 1 does is off target; either breaks the claim.
    assert verdict.reason[0].isupper() and "the claim asked for at least 70%" in verdict.reason


def test_the_null_statistic_is_the_share_on_its_pairs() -> None:
    (verdict,) = judge_claims(make_hypothesis(), nulls=7)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, LATENTS))
    step = (rng.normal(1, 0.4, size=z.shape) * np.where(np.arange(LATENTS) == 0, 1, 0.3))[:40]
    total = 3 * step[:, 0] + 0.3 * step[:, 2]
    assert verdict.null is not None
    assert verdict.null.observed == pytest.approx((3 * step[:, 0] * total).sum() / (total**2).sum())
    draw = np.random.default_rng(0)
    for value in verdict.null.values:
        q = draw.normal(size=LATENTS)
        moved = np.outer(step @ q, q) / (q @ q)
        part = 3 * moved[:, 0] + 0.3 * moved[:, 2]
        assert value == pytest.approx((part * total).sum() / (total**2).sum(), abs=1e-12)
    assert verdict.null.kind == "random subspaces of latent (dimension 1)"
    assert verdict.null.pairs == 40


def test_a_circuit_like_any_other_is_inconclusive_and_says_so() -> None:
    # Every latent carries a sixth; the claim's bound is met, but so it is by many random directions.
    def even(z: Array) -> dict[str, Array]:
        return {"area": z.sum(axis=1), "place": z[:, 1]}

    (verdict,) = judge_claims(make_hypothesis(expect={"mediated_share": {"at_least": 0.05}}), decode=even, spread=1.0)
    assert verdict.status == "inconclusive"
    assert verdict.null is not None and verdict.null.p_value > 0.05
    assert verdict.needed is None
    assert "does not stand out from random circuits" in verdict.reason
    assert "they were run on 40 of the 80 pairs, as null.pairs says, so only raising it may help" in verdict.reason


def test_too_few_null_circuits_are_said_to_be_too_few() -> None:
    (verdict,) = judge_claims(make_hypothesis(), nulls=9)
    assert verdict.status == "inconclusive"
    assert "9 random circuits are too few to show that it stands out, 19 would do" in verdict.reason


def test_too_few_pairs_are_counted() -> None:
    def noisy(z: Array) -> dict[str, Array]:
        return {"area": 3 * z[:, 0] + 1.6 * z[:, 2] * np.sign(z[:, 3]), "place": z[:, 1]}

    (verdict,) = judge_claims(
        make_hypothesis(expect={"mediated_share": {"at_least": 0.85}}, null={"circuits": "none"}),
        decode=noisy, n=12, nulls=0, spread=1.0,
    )  # fmt: skip
    assert verdict.status == "inconclusive"
    assert verdict.needed is not None and verdict.needed > 12
    assert f"about {verdict.needed} pairs would probably settle it, 12 were run" in verdict.reason


def test_a_treatment_without_effect_is_not_judged() -> None:
    def still(z: Array) -> dict[str, Array]:
        return {"area": np.round(z[:, 5] * 0), "place": z[:, 1]}

    (verdict,) = judge_claims(make_hypothesis(), decode=still)
    assert verdict.status == "inconclusive"
    assert "does not change area" in verdict.reason
    assert verdict.null is not None
    assert (verdict.null.p_value, set(verdict.null.values), verdict.null.observed) == (1.0, {0.0}, 0.0)
    assert "does not change area on the first 40 pairs" in verdict.tests[-1].note


def test_a_null_test_that_cannot_be_made_bars_support() -> None:
    # The treatment moves area in the later pairs only, none of which the null circuits were run on.
    spec = make_spec(hypotheses=[make_hypothesis()])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, LATENTS))
    z_cf = z.copy()
    z_cf[40:, 0] += 1
    network = Network(spec, carried_by_first, z, z_cf)
    network.hypothesis("claim", (0,), nulls=99, pairs=40)
    (verdict,) = judge(spec, *network.finish(), Declared())
    assert verdict.tests[0].p_support < 1e-6
    assert (verdict.status, verdict.p_support, verdict.needed) == ("inconclusive", 1.0, None)
    assert "could not be compared with random circuits: the treatment does not change area on the first 40 pairs" in (
        verdict.reason
    )
    assert verdict.reason.endswith("raise null.pairs, which is 40.")


def test_an_undefined_null_counts_against_the_circuit_and_removes_no_pair() -> None:
    spec = make_spec(hypotheses=[make_hypothesis()])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, LATENTS))
    z_cf = z + rng.normal(1, 0.4, size=z.shape) * np.where(np.arange(LATENTS) == 0, 1, 0.3)

    def judge_with(undefined: int) -> Verdict:
        network = Network(spec, carried_by_first, z, z_cf)
        network.hypothesis("claim", (0,), nulls=99, pairs=40)
        plan, measurements = network.finish()
        for use in plan.uses_of("hypothesis:claim", "null")[:undefined]:
            rows = (measurements.outcomes["arm"] == use.arm) & (measurements.outcomes["pair"] < 30)
            measurements.outcomes.loc[rows, "area"] = np.nan
        (verdict,) = judge(spec, plan, measurements, Declared())
        return verdict

    whole, broken = judge_with(0).null, judge_with(3)
    assert whole is not None and broken.null is not None
    assert broken.null.observed == whole.observed
    assert broken.null.values[3:] == whole.values[3:]
    assert broken.null.p_value == whole.p_value + 3 / 100 == 4 / 100
    assert "3 undefined on some of these pairs, counted as carrying as much" in broken.tests[-1].note


def test_a_treatment_without_effect_refutes_a_claim_of_one() -> None:
    spec = make_spec(hypotheses=[make_hypothesis(expect={"total_effect": {"at_least": 0.5}, **GOOD})])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, LATENTS))
    z_cf = z.copy()
    z_cf[:, 1] += 1
    network = Network(spec, carried_by_first, z, z_cf)
    network.hypothesis("claim", (0,), nulls=19)
    (verdict,) = judge(spec, *network.finish(), Declared())
    assert verdict.status == "refuted"
    assert verdict.reason.startswith("The treatment moves area by 0.00 sd on average")
    assert "so there is no effect to share out" in verdict.reason


def test_necessity_and_total_effect_are_tested() -> None:
    expect = {"necessity": {"at_least": 0.7}, "total_effect": {"at_least": 0.5, "at_most": 3}}
    (verdict,) = judge_claims(make_hypothesis(expect=expect))
    assert verdict.status == "supported"
    assert [test.name for test in verdict.tests] == ["necessity", "total_effect"]
    assert verdict.null is None
    assert verdict.reason.endswith(
        "not compared with random circuits: the claim is not about what the circuit carries."
    )
    assert "olding the circuit still removes 9" in verdict.reason
    assert "the claim asked for 0.50 to 3.00 sd" in verdict.reason


def bound_test(p_refute: float, outside: bool, *, n: int = 60, needed: int | None = None) -> BoundTest:
    test = ClaimTest("necessity", ">= 0.7", 0.5, 0.4, 0.6, 1.0, p_refute, n)
    return BoundTest(test, Bound(at_least=0.7), False, outside, "refute", needed, "share", 0.95, "")


def decided(*families: tuple[BoundTest, ...]) -> list[Verdict]:
    claim = Hypothesis.model_validate(make_hypothesis(null={"circuits": "none"}))
    found = [Evidence(claim, ("latent[0]",), bounds, None) for bounds in families]
    return [_decide(evidence, 1.0, _refute(found, k), len(found)) for k, evidence in enumerate(found)]


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
        plain = holm([min(1.0, 3 * min(b.test.p_refute for b in bounds)) for bounds in families])
        verdicts = decided(*families)
        assert [v.p_refute for v in verdicts] == pytest.approx(plain)
        assert [v.status == "refuted" for v in verdicts] == [p <= 0.05 for p in plain]


def test_an_estimate_clearly_outside_on_few_pairs_says_so() -> None:
    (verdict,) = decided((bound_test(0.07, outside=True, n=5),))
    assert verdict.status == "inconclusive"
    assert (
        "clearly outside its bound, but on 5 pairs the evidence against the claim is short (p = 0.07" in verdict.reason
    )
    assert "too near" not in verdict.reason
    (counted,) = decided((bound_test(0.07, outside=True, n=5, needed=8),))
    assert counted.reason.endswith("about 8 pairs would probably settle it, 5 were run.")


def test_no_number_is_minus_zero() -> None:
    assert _range(-1e-5, 1e-5, "share") == "0.0 to 0.0%"
    assert _range(-0.0004, 0.012, "share") == "0 to 1.2%"
    assert _range(-1e-5, 0.5, "sd") == "0.00 to 0.50 sd"
    assert _number(-1e-5, "sd") == "0.00 sd"
    assert _range(0.7, 0.9, "share") == "70 to 90%"


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([0.2]) == (0.2,)
    assert holm([]) == ()


def test_holm_is_applied_across_hypotheses() -> None:
    claim = make_hypothesis(expect=GOOD)
    alone = judge_claims(claim, nulls=49)[0]
    assert (alone.status, alone.p_support) == ("supported", pytest.approx(0.02))
    idle = [make_hypothesis(f"idle{k}", circuit=["latent[4]"], expect=GOOD) for k in range(3)]
    judged = judge_claims(claim, *idle, nulls=49, circuits={f"idle{k}": (4,) for k in range(3)})
    assert judged[0].p_support == pytest.approx(4 * 0.02)
    assert judged[0].status == "inconclusive"
    assert "49 random circuits are too few to show that it stands out, 79 would do" in judged[0].reason
    assert [verdict.status for verdict in judged[1:]] == ["refuted"] * 3
    assert [verdict.hypothesis for verdict in judged] == ["claim", "idle0", "idle1", "idle2"]


def test_a_claim_that_a_circuit_carries_little_is_not_held_against_nulls() -> None:
    little = {"mediated_share": {"at_most": 0.3}}
    (verdict,) = judge_claims(make_hypothesis(circuit=["latent[4]"], expect=little), circuits={"claim": (4,)})
    assert (verdict.status, verdict.null) == ("supported", None)
    for expect, carries in (
        (little, False),
        ({"mediated_share": {"at_least": 0.1, "at_most": 0.3}}, True),
        ({"off_target": {"at_most": 0.3}}, False),
        ({"necessity": {"at_least": 0.3}}, False),
        ({"total_effect": {"at_least": 0.3}}, False),
        ({"necessity": {"at_most": 0.3}, "mediated_share": {"at_least": 0.3}}, True),
    ):
        assert Hypothesis.model_validate(make_hypothesis(expect=expect)).claims_to_carry is carries


def test_a_spec_without_hypotheses_has_no_verdicts() -> None:
    spec = make_spec()
    network = Network(spec, carried_by_first, np.zeros((3, LATENTS)), np.ones((3, LATENTS)))
    network.clean("intervention:resize")
    assert judge(spec, *network.finish(), Declared()) == ()


def test_the_image_can_be_an_outcome() -> None:
    claim = {**make_hypothesis(expect={"mediated_share": {"at_least": 0.7}}), "outcome": "image"}
    spec = make_spec(hypotheses=[claim])
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, LATENTS))
    z_cf = z + rng.normal(1, 0.3, z.shape) * np.where(np.arange(LATENTS) == 0, 1, 0.3)
    network = Network(spec, carried_by_first, z, z_cf, image=lambda z: z * np.array([3.0, 0.1, 0.1, 0.1, 0.1, 0.1]))
    network.hypothesis("claim", (0,), nulls=39)
    (verdict,) = judge(spec, *network.finish(), Declared())
    assert verdict.status == "supported"
    assert verdict.outcome == "image"
