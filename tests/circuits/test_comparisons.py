"""Other circuits and missing members, by hand and by a naive loop; and what idle or unread latents change: nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from causalvae.circuits import Verdict, judge
from causalvae.circuits.cancelling import find_cancelling
from causalvae.circuits.gaps import measure_gaps
from causalvae.circuits.minimality import loss_margin
from causalvae.circuits.rivals import compare_rivals
from causalvae.circuits.table import CircuitTable, MeasuredCircuits
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.models.components import ComponentRef
from causalvae.plan.types import ClaimDesign, RivalKind
from causalvae.report.verdict_words import reason
from causalvae.spec.schema import Hypothesis
from tests.effects.synthetic import Array, Decode, Network, make_hypothesis, make_spec

BOTH = {"mediated_share": {"at_least": 0.7}, "necessity": {"at_least": 0.7}}


class Declared:
    """scale reaches area."""

    def descendants(self, node: str) -> frozenset[str]:
        return frozenset({"area"})


def judged(
    decode: Decode, z: Array, z_cf: Array, units: tuple[int, ...], **fields: Any
) -> tuple[Verdict, dict[str, Array]]:
    claim = make_hypothesis(circuit=[f"latent[{unit}]" for unit in units], **fields)
    spec = make_spec(attributes=("area",), edges=("scale -> area",), hypotheses=[claim], bootstrap=300)
    network = Network(spec, decode, z, z_cf)
    network.hypothesis("claim", units)
    (verdict,) = judge(network.context(), Declared())
    return verdict, {"z": z, "z_cf": z_cf}


def moved(n: int = 60, latents: int = 5, movers: int = 5, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, latents))
    return z, z + rng.normal(1, 0.5, size=z.shape) * (np.arange(latents) < movers)


def weighted(z: Array) -> dict[str, Array]:
    return {"area": z[:, 0] + 0.5 * z[:, 1] + 0.1 * z[:, 0] * z[:, 2]}


def naive_error(decode: Decode, z: Array, z_cf: Array, units: tuple[int, ...], removed: bool) -> float:
    """D or D_nec of a circuit, one pair at a time."""
    above = below = 0.0
    for base, other in zip(z, z_cf, strict=True):
        start = (other if removed else base).copy()
        source = base if removed else other
        for unit in units:
            start[unit] = source[unit]
        y, y_cf, y_arm = (decode(row[None])["area"][0] for row in (base, other, start))
        total, effect = y_cf - y, y_arm - y
        above += effect**2 if removed else (total - effect) ** 2
        below += total**2
    return float(np.sqrt(above / below))


def test_relative_errors_by_a_naive_loop() -> None:
    z, z_cf = moved()
    verdict, _ = judged(weighted, z, z_cf, (0, 1), expect=BOTH)
    for error, removed in zip(verdict.errors, (False, True), strict=True):
        assert error.value == pytest.approx(naive_error(weighted, z, z_cf, (0, 1), removed), abs=1e-12)
        assert error.lower <= error.value <= error.upper
    rivals = verdict.rivals
    assert rivals is not None and rivals.own is not None
    assert rivals.count == 5 + 10 - 1
    for score in (rivals.own, *rivals.best):
        units = tuple(unit for part in score.circuit for unit in part.units or ())
        assert score.error == pytest.approx(naive_error(weighted, z, z_cf, units, False), abs=1e-12)
        assert score.error_removed == pytest.approx(naive_error(weighted, z, z_cf, units, True), abs=1e-12)
    every = [
        naive_error(weighted, z, z_cf, units, False)
        for size in (1, 2)
        for units in combinations(range(5), size)
        if units != (0, 1)
    ]
    assert sorted(rivals.errors) == pytest.approx(sorted(every), abs=1e-12)


def test_a_proportional_circuit_has_the_error_of_its_share() -> None:
    z, z_cf = moved(movers=1)
    z_cf[:, 1:] = z[:, 1:] + (z_cf - z)[:, :1]
    verdict, _ = judged(lambda z: {"area": 0.6 * z[:, 0] + 0.4 * z[:, 1]}, z, z_cf, (0,), expect=BOTH)
    share = next(test.value for test in verdict.tests if test.name == "mediated_share")
    assert verdict.errors[0].value == pytest.approx(1 - share) == pytest.approx(0.4)


def table_of(errors: Array, total: Array) -> CircuitTable:
    circuits = tuple((ComponentRef("latent", (k,)),) for k in range(len(errors)))
    measured = MeasuredCircuits(errors, total - errors)
    return CircuitTable(circuits, total, {"sufficiency": measured}, tuple(range(1, len(errors))), pairs=len(total))


def test_gaps_by_drawing_each_resample_out() -> None:
    rng = np.random.default_rng(0)
    total = rng.exponential(size=40)
    errors = rng.uniform(0, 1, size=(4, 40)) * np.array([0.1, 0.2, 0.6, 0.1])[:, None]
    errors[3] = errors[0]
    bootstrap = PairedBootstrap(40, 300, 0.95, 1)
    found = measure_gaps(table_of(errors, total), (1, 2, 3), 0.05, bootstrap)
    for k in (1, 2, 3):
        draws = []
        for counts in bootstrap.weights:
            chosen = np.repeat(np.arange(40), counts.astype(int))
            own, other = (np.sqrt(errors[row][chosen].sum() / total[chosen].sum()) for row in (0, k))
            draws.append(other - own)
        gaps = np.array(draws)
        assert found.p_larger[0, k - 1] == pytest.approx((1 + (gaps <= 0.05 + 1e-9).sum()) / 301)
        assert found.p_smaller[0, k - 1] == pytest.approx((1 + (gaps >= 0.05 - 1e-9).sum()) / 301)
        assert (found.lower[0, k - 1], found.upper[0, k - 1]) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))
    assert found.values[0, 2] == 0 and found.p_larger[0, 2] == 1.0
    assert found.p_smaller[0, 2] == pytest.approx(1 / 301)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    table = table_of(rng.uniform(size=(9, 30)), rng.exponential(size=30))
    whole = measure_gaps(table, table.rivals, 0.05, PairedBootstrap(30, 50))
    monkeypatch.setattr("causalvae.circuits.gaps._MOST_NUMBERS", 150)
    parts = measure_gaps(table, table.rivals, 0.05, PairedBootstrap(30, 50))
    np.testing.assert_allclose(whole.p_larger, parts.p_larger)
    np.testing.assert_allclose(whole.lower, parts.lower)


def test_the_useless_members_of_a_padded_circuit_are_named() -> None:
    z, z_cf = moved(movers=1, latents=8)
    verdict, _ = judged(lambda z: {"area": z[:, 0]}, z, z_cf, (0, 1, 2, 3, 4), expect=BOTH)
    assert verdict.status == "unspecific"
    found = verdict.minimality
    assert found is not None and not found.judged
    assert [member.label for member in found.of("useless")] == [f"latent[{k}]" for k in (1, 2, 3, 4)]
    assert [member.label for member in found.of("needed")] == ["latent[0]"]
    assert found.smallest == ((ComponentRef("latent", (0,)),),)
    assert found.without_useless == pytest.approx(0)
    assert "a part of it does as well: latent[0]" in reason(verdict)
    asked, _ = judged(lambda z: {"area": z[:, 0]}, z, z_cf, (0, 1, 2, 3, 4), expect={**BOTH, "minimal": True})
    assert asked.status == "refuted"
    assert reason(asked).startswith("The circuit is claimed to be minimal, and 4 of its 5 members are not needed")


def test_a_redundant_pair_can_lose_either_member_and_not_both() -> None:
    rng = np.random.default_rng(0)
    z = 0.05 * np.abs(rng.normal(size=(60, 4)))
    z_cf = z.copy()
    z_cf[:, :2] = 0.6 + 0.4 * rng.random((60, 1))
    either = lambda z: {"area": np.maximum(z[:, 0], z[:, 1])}  # noqa: E731
    alone, _ = judged(either, z, z_cf, (0, 1))
    assert alone.minimality is not None
    assert [member.label for member in alone.minimality.of("useless")] == ["latent[0]", "latent[1]"]
    assert alone.minimality.without_useless == pytest.approx(1 - alone.errors[0].value, abs=1e-3)
    assert [circuit[0].units for circuit in alone.minimality.smallest] == [(0,), (1,)]
    assert alone.status == "unspecific"
    # Claimed to be necessary too, nothing smaller does as well: either member's removal leaves the other.
    both, _ = judged(either, z, z_cf, (0, 1), expect={**BOTH, "minimal": True})
    assert both.status == "supported"
    assert both.minimality is not None and len(both.minimality.of("needed")) == 2


def test_taking_away_an_inhibitor_raises_the_share_and_the_error() -> None:
    z, z_cf = moved(movers=1)
    z_cf[:, 1] = z[:, 1] + (z_cf - z)[:, 0]
    verdict, _ = judged(
        lambda z: {"area": z[:, 0] - 0.3 * z[:, 1]}, z, z_cf, (0, 1),
        expect={"mediated_share": {"at_least": 0.7}, "minimal": True},
    )  # fmt: skip
    assert verdict.status == "supported"
    assert verdict.minimality is not None
    assert {loss.member.label: loss.loss for loss in verdict.minimality.members} == pytest.approx(
        {"latent[0]": 0.3 / 0.7 + 1, "latent[1]": 0.3 / 0.7}, abs=1e-9
    )


def test_what_a_member_must_add() -> None:
    assert [loss_margin(k) for k in (1, 4, 7, 10, 20, 100)] == pytest.approx([0.05, 0.05, 1 / 21, 1 / 30, 0.02, 0.02])


KINDS: dict[str, tuple[Decode, tuple[int, ...], dict[str, Any]]] = {
    "carrier": (lambda z: {"area": z[:, 0]}, (0,), {"mediated_share": {"at_least": 0.7}}),
    "a quarter": (lambda z: {"area": z[:, :4].mean(axis=1)}, (0,), {"mediated_share": {"at_least": 0.2}}),
    "half, as the whole": (lambda z: {"area": z[:, :2].mean(axis=1)}, (0,), {"mediated_share": {"at_least": 0.6}}),
    "a sum": (lambda z: {"area": z[:, 0] + z[:, 1]}, (0, 1), BOTH),
    "either": (lambda z: {"area": np.maximum(z[:, 0], z[:, 1])}, (0, 1), {"mediated_share": {"at_least": 0.7}}),
    "padded": (lambda z: {"area": z[:, 0]}, (0, 3), {"mediated_share": {"at_least": 0.7}}),
    "cancelled": (lambda z: {"area": z[:, 0] - 0.95 * z[:, 1]}, (0,), {"mediated_share": {"at_least": 0.7}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_latents_that_nothing_reads_change_no_verdict(kind: str) -> None:
    """Neither dead ones, however many, nor loud ones, whatever their scale and units."""
    decode, units, expect = KINDS[kind]
    rng = np.random.default_rng(3)
    # The treatment moves the first four latents alike; from the sixth on nothing is read.
    z = rng.normal(size=(48, 6))
    z[:, :4] = rng.normal(size=(48, 1))
    z_cf = z.copy()
    z_cf[:, :4] += np.abs(rng.normal(1, 0.3, size=(48, 1)))
    found = set()
    for dead in (0, 3, 30):
        more, more_cf = (np.hstack([value, np.zeros((48, dead))]) for value in (z, z_cf))
        found.add(summary(judged(decode, more, more_cf, units, expect=expect)[0]))
    for scale in (0.01, 1.0, 100.0):
        loud, loud_cf = z.copy(), z_cf.copy()
        loud[:, 5] = scale * z[:, 0]
        loud_cf[:, 5] = scale * z_cf[:, 0]
        found.add(summary(judged(decode, loud, loud_cf, units, expect=expect)[0]))
    # In other units: the latents divided, and the decoder multiplying.
    factors = np.array([10.0, 0.1, 3.0, 1.0, 1.0, 1.0])
    found.add(summary(judged(lambda w: decode(w * factors), z / factors, z_cf / factors, units, expect=expect)[0]))
    assert len(found) == 1, found


def summary(verdict: Verdict) -> tuple[object, ...]:
    """What may not depend on unread latents."""
    rivals, members = verdict.rivals, verdict.minimality
    assert rivals is not None
    return (
        verdict.status,
        round(verdict.p_support, 6),
        rivals.judged,
        None if not rivals.judged else rivals.p_value,
        rivals.meets,
        tuple(part.label for score in rivals.best[:1] for part in score.circuit),
        None if members is None else tuple((loss.member.label, loss.status) for loss in members.members),
        tuple(unit.unit.label for unit in verdict.cancelling),
    )


def test_the_bootstrap_is_as_fine_as_the_family_needs() -> None:
    z, z_cf = moved(movers=1)
    names = [f"h{k}" for k in range(7)]
    claims = [make_hypothesis(name, alpha=0.01) for name in names]
    spec = make_spec(attributes=("area",), edges=("scale -> area",), hypotheses=claims, bootstrap=100)
    network = Network(spec, lambda z: {"area": z[:, 0]}, z, z_cf)
    for name in names:
        network.hypothesis(name, (0,))
    verdicts = judge(network.context(), Declared())
    assert {verdict.rivals and verdict.rivals.p_value for verdict in verdicts} == {1 / 7001}
    assert {verdict.status for verdict in verdicts} == {"supported"}


def test_random_circuits_are_counted() -> None:
    rng = np.random.default_rng(0)
    total = rng.exponential(size=40) + 0.1
    shares = np.array([1.0, *np.linspace(0, 0.9, 99), 0.98])
    errors = (1 - shares[:, None]) ** 2 * total
    products = shares[:, None] * total
    table = replace(
        table_of(errors, total), measures={"sufficiency": MeasuredCircuits(errors, products)}
    )  # fmt: skip
    claim = Hypothesis.model_validate(make_hypothesis())
    design = ClaimDesign((ComponentRef("latent", (0,)),), rivals="random", why_none="")
    found = compare_rivals(table, claim, design, PairedBootstrap(40, 200))
    # One of them lies within the margin of 0.05.
    assert (found.count, found.as_well, found.p_value) == (100, 1, 2 / 101)
    assert found.meets and found.best[0].error == pytest.approx(0.02)
    assert found.best[0].p_value is None


@pytest.mark.parametrize(("pairs", "few"), [(23, True), (24, False)])
@pytest.mark.parametrize("kind", ["every", "random"])
def test_comparisons_on_too_few_defined_pairs_decide_nothing(pairs: int, few: bool, kind: RivalKind) -> None:
    # The claimed circuit is right and every other one does nothing.
    total = np.ones(pairs)
    table = table_of(np.concatenate([np.zeros((1, pairs)), np.ones((40, pairs))]), total)
    design = ClaimDesign((ComponentRef("latent", (0,)),), rivals=kind, why_none="")
    claim = Hypothesis.model_validate(make_hypothesis())
    found = compare_rivals(table, claim, design, PairedBootstrap(pairs, 200))
    assert found.p_value == 1.0 if few else found.p_value < 0.05
    gaps = measure_gaps(table, (1, 2), 0.05, PairedBootstrap(pairs, 200))
    # A shortage of pairs shows neither that a member is needed nor that it is not.
    assert (gaps.p_worse.max() == 1.0) == few and gaps.p_as_well.min() == 1.0


def named_as_cancelling(seed: int, units: int = 20, n: int = 96) -> int:
    """How many units are named that push the outcome up in some pairs and down in others, and carry nothing."""
    rng = np.random.default_rng(seed)
    total = rng.random(n)
    alone = total * rng.choice([-1.0, 1.0], (units, n))
    circuits = tuple((ComponentRef("latent", (unit,)),) for unit in range(units))
    measured = MeasuredCircuits((total - alone) ** 2, alone * total)
    table = CircuitTable(circuits, total**2, {"sufficiency": measured}, singles=tuple(range(units)), pairs=n)
    return len(find_cancelling(table, PairedBootstrap(n, 400)))


def test_units_that_carry_nothing_are_not_said_to_cancel() -> None:
    # Each at its own level, some of twenty were named in 63 of 200 draws.
    assert sum(named_as_cancelling(seed) > 0 for seed in range(40)) <= 5
