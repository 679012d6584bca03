"""Pairs that fail: counted by hand and by hooks, exact limits, how many pairs a rate takes, size and power."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import causalvae
from causalvae.circuits.hypothesis import assess_bound
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.effects.counts import exact_limits
from causalvae.effects.failures import failing_pairs
from causalvae.report.circuit_findings import circuit_findings
from causalvae.report.verdict_words import reason
from causalvae.session import open_session
from causalvae.spec.hypothesis_section import pairs_without_failure
from causalvae.spec.schema import Bound, Hypothesis
from tests.circuits.case_networks import case_spec, hooked, pairs_of, run_case
from tests.circuits.test_verdict import judge_claims
from tests.circuits.test_verdict_size import most_allowed
from tests.effects.synthetic import Array, make_hypothesis

RARE = Bound(at_most=0.05)


def failures(count: int, n: int) -> RatioColumns:
    fails = (np.arange(n) < count).astype(float)
    return RatioColumns("failing", fails, np.ones(n), "share", is_size=True, is_count=True)


def by_context(z: Array) -> dict[str, Array]:
    """Latent 0 does twice the effect or nothing, as the sign of latent 5 has it, and latent 1 the rest."""
    return {"area": np.where(z[:, 5] > 0, 2 * z[:, 0], 2 * z[:, 1]), "place": z[:, 2]}


def test_pairs_without_a_failure_that_a_rate_takes() -> None:
    assert [pairs_without_failure(rate, 0.05) for rate in (0.1, 0.05)] == [29, 59]
    assert pairs_without_failure(0.05, 0.05, 10) == 104
    for rate in (0.013, 0.05, 0.3):
        n = pairs_without_failure(rate, 0.05)
        assert (1 - rate) ** n <= 0.05 < (1 - rate) ** (n - 1)
        shown, short = (
            assess_bound(failures(0, pairs), Bound(at_most=rate), paired_bootstrap(pairs, 50, 0.95, 0), 0.05)
            for pairs in (n, n - 1)
        )
        assert shown.inside and shown.test.p_support <= 0.05
        assert not short.inside and short.test.p_support > 0.05 and short.test.needed == n


@pytest.mark.parametrize(("count", "n"), [(0, 59), (3, 40), (40, 40), (17, 96)])
def test_limits_are_clopper_and_pearsons(count: int, n: int) -> None:
    limits = exact_limits(count, n, 0.95)
    known = stats.binomtest(count, n).proportion_ci(0.9, "exact")
    assert (limits.lower, limits.upper) == pytest.approx((known.low, known.high))
    if count == 0:
        assert limits.upper == pytest.approx(1 - 0.05 ** (1 / n))
    test = assess_bound(failures(count, n), RARE, paired_bootstrap(n, 50, 0.95, 0), 0.05).test
    assert test.p_support == pytest.approx(stats.binomtest(count, n, 0.05, "less").pvalue)
    assert test.p_refute == pytest.approx(stats.binomtest(count, n, 0.05, "greater").pvalue)


def test_failing_pairs_one_by_one() -> None:
    rng = np.random.default_rng(0)
    total, indirect = rng.normal(size=50), rng.normal(size=50)
    total[:5] = 0.0
    root = math.sqrt(sum(value * value for value in total) / 50)
    naive = [abs(a - b) > (1 - 0.7 / 2) * max(abs(a), root / 4) for a, b in zip(total, indirect, strict=True)]
    assert 0 < sum(naive) < 50
    assert failing_pairs(total, np.abs(total - indirect), 0.7).tolist() == naive
    # A circuit of one share fails nowhere, or wherever a pair moves enough.
    large = np.abs(total) >= root / 4
    for share, fails in ((0.36, False), (0.34, True), (1.64, False), (1.66, True)):
        assert (failing_pairs(total, np.abs(total * (1 - share)), 0.7)[large] == fails).all()
    assert not failing_pairs(total, np.zeros(50), 0.7).any()


def test_failing_pairs_by_plain_hooks(tmp_path: Path) -> None:
    claim = {"circuit": ["latent[0]"], "expect": {"mediated_share": {"at_least": 0.6}, "failing": {"at_most": 0.2}}}
    (verdict,), plan = run_case(tmp_path, "bent", [claim], latents=6, carriers=3)
    with causalvae.allow_code(True):
        session = open_session(case_spec("bent", [claim], latents=6, carriers=3), tmp_path)
    inputs = pairs_of(plan, session.dataset)
    base, other = inputs["base"], inputs["counterfactual"]
    y, y_cf, patched = (
        hooked(session.model.vae, *arm).numpy() for arm in ((base, base, ()), (other, other, ()), (base, other, (0,)))
    )
    root = float(np.sqrt(np.mean((y_cf - y) ** 2)))
    naive = [
        k for k in range(len(y)) if abs(y_cf[k] - patched[k]) > 0.7 * max(abs(y_cf[k] - y[k]), root / 4)
    ]  # fmt: skip
    assert verdict.failing is not None and 0 < len(naive) < len(y)
    assert (verdict.failing.count, verdict.failing.n) == (len(naive), len(y))
    order = sorted(naive, key=lambda k: -abs(y_cf[k] - patched[k]))[:5]
    assert [pair.pair for pair in verdict.failing.worst] == order
    for pair in verdict.failing.worst:
        k = pair.pair
        assert (pair.total, pair.indirect) == pytest.approx((y_cf[k] - y[k], patched[k] - y[k]), abs=1e-5)
    (test,) = (test for test in verdict.tests if test.name == "failing")
    assert test.value == pytest.approx(len(naive) / len(y))


def test_a_claim_on_failures_decides_and_a_share_alone_only_reports_them() -> None:
    # Latent 0 has the effect but for every twentieth pair.
    def seldom(z: Array) -> dict[str, Array]:
        return {"area": np.where(z[:, 5] > -1.65, z[:, 0], z[:, 1]), "place": z[:, 2]}

    share = {"mediated_share": {"at_least": 0.5}}
    reported, allowed, claimed = judge_claims(
        make_hypothesis("reported", expect=share),
        make_hypothesis("allowed", expect={**share, "failing": {"at_most": 0.2}}),
        make_hypothesis("claimed", expect={**share, "failing": {"at_most": 0.01}}),
        decode=seldom, n=400, spread=1.0,
    )  # fmt: skip
    assert [verdict.status for verdict in (reported, allowed, claimed)] == ["supported", "supported", "refuted"]
    assert reported.failing is not None and 5 < reported.failing.count < 50
    assert claimed.broken == "failing" and "The circuit alone fails in" in reason(claimed)
    assert "on average" not in reason(reported)
    (found,) = (finding for finding in circuit_findings(reported) if finding.title.startswith("Failing pairs"))
    assert found.table is not None and len(found.table.rows) == 5 and "not part of the claim" in found.title
    assert f"{reported.failing.count} of 400 pairs fail" in found.brief


def test_a_share_that_is_true_on_average_alone_is_told_so() -> None:
    (verdict,) = judge_claims(
        make_hypothesis(expect={"mediated_share": {"at_least": 0.3, "at_most": 3.0}}), decode=by_context, n=200,
        spread=1.0,
    )  # fmt: skip
    assert verdict.failing is not None and verdict.failing.is_common
    assert "on average the circuit carries" in reason(verdict).lower()
    assert "it fails in" in reason(verdict)


def test_a_claim_on_failures_alone_takes_a_share_of_seven_tenths() -> None:
    claim = Hypothesis.model_validate(make_hypothesis(expect={"failing": {"at_most": 0.1}}))
    assert claim.pair_share == 0.7 and claim.counts_failing and not claim.claims_a_share
    (verdict,) = judge_claims(make_hypothesis(expect={"failing": {"at_most": 0.1}}))
    assert verdict.status == "supported" and verdict.failing is not None and verdict.failing.count == 0


def decided(rate: float, n: int, runs: int, seed: int = 0) -> tuple[float, float]:
    """How often a claim of at most 5 % is shown, and refuted, where pairs fail at `rate`."""
    rng = np.random.default_rng(seed)
    shown = refuted = 0
    bootstrap = paired_bootstrap(n, 50, 0.95, 0)
    for count in rng.binomial(n, rate, runs):
        found = assess_bound(failures(int(count), n), RARE, bootstrap, 0.05)
        shown += found.inside and found.test.p_support <= 0.05
        refuted += found.outside and found.test.p_refute <= 0.05
    return shown / runs, refuted / runs


@pytest.mark.parametrize("n", [59, 192, 512])
def test_a_rate_on_its_bound_is_seldom_decided(n: int) -> None:
    for share in decided(0.05, n, 2000):
        assert share <= most_allowed(2000, 0.05)


def test_rates_off_the_bound_are_found() -> None:
    assert decided(0.005, 192, 500)[0] > 0.9
    assert decided(0.15, 192, 500)[1] > 0.95
    # 24 pairs miss a rate of 5 % in 0.95^24 = 29 % of draws, so they show nothing.
    assert decided(0.0, 24, 5)[0] == 0
