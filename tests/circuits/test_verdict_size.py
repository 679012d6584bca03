"""Simulated size and power of the whole verdict procedure."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy import stats

from causalvae.circuits import judge
from causalvae.circuits.gaps import measure_gaps
from causalvae.circuits.table import CircuitTable, MeasuredCircuits
from causalvae.circuits.verdict import Evidence, decide, weigh
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.models.components import ComponentRef
from causalvae.plan.types import ClaimDesign
from causalvae.spec.schema import Hypothesis
from tests.circuits.simulated import CASES, count_verdicts
from tests.effects.synthetic import Array, Network, make_hypothesis, make_spec


class Declared:
    """The declared graph scale -> area, x -> place."""

    def descendants(self, node: str) -> frozenset[str]:
        return frozenset(nx.descendants(nx.DiGraph([("scale", "area"), ("x", "place")]), node))


def most_allowed(runs: int, alpha: float) -> float:
    """The share that a procedure of size `alpha` exceeds in fewer than one of 1,000 simulations of `runs` data sets."""
    return float(stats.binom.ppf(0.999, runs, alpha)) / runs


@pytest.mark.parametrize("name", CASES)
def test_true_circuits_are_supported_and_near_misses_are_not(name: str) -> None:
    case, runs = CASES[name], 12
    counts = count_verdicts(case, 96, runs)
    # Of 12 draws a procedure that is right in 99 % errs in two or more with probability below 0.01.
    assert sum(counts[status] for status in (case.right, *case.others)) >= runs - 1, counts
    if case.right != "supported":
        assert counts["supported"] == 0, counts


@pytest.mark.simulation
@pytest.mark.parametrize("n", [48, 96, 192])
@pytest.mark.parametrize("name", CASES)
def test_verdict_rates(name: str, n: int) -> None:
    case, runs = CASES[name], 200
    counts = count_verdicts(case, n, runs, seed=1)
    if case.right == "supported":
        assert counts["supported"] >= 0.95 * runs, counts
        assert counts["refuted"] <= 0.02 * runs, counts
    else:
        assert counts["supported"] <= 0.02 * runs, counts
        assert sum(counts[status] for status in (case.right, *case.others)) >= 0.95 * runs, counts


def claims_on_the_bound(rng: np.random.Generator, n: int, family: int) -> list[Evidence]:
    """Claims whose share is the bound itself, of circuits that no rival comes near."""
    claim = Hypothesis.model_validate(make_hypothesis())
    member = (ComponentRef("latent", (0,)),)
    found = []
    for _ in range(family):
        total = rng.normal(1, 0.5, n)
        effect = 0.7 * total + 0.2 * rng.normal(size=n)
        rival = 0.05 * rng.normal(size=n)
        effects = np.stack([effect, rival])
        measured = {"sufficiency": MeasuredCircuits((total - effects) ** 2, effects * total)}
        table = CircuitTable(
            (member, (ComponentRef("latent", (1,)),)), total**2, measured, (1,), pairs=n  # type: ignore[arg-type]
        )  # fmt: skip
        columns = {
            "mediated_share": RatioColumns("mediated_share", effect * total, total**2, "share"),
            "pairwise_fit": RatioColumns("pairwise_fit", total**2 - (total - effect) ** 2, total**2, "share"),
            "removal_fit": RatioColumns("removal_fit", total**2, total**2, "share"),
        }
        design = ClaimDesign(member, member, False, "every", "")
        found.append(weigh(claim, design, columns, table, paired_bootstrap(n, 400, 0.95, 0), family))
    return found


def family_wise_errors(runs: int, n: int, family: int = 10) -> dict[str, float]:
    """How often any of ten claims on its bound is supported, or refuted."""
    errors = {"supported": 0, "refuted": 0}
    for run in range(runs):
        statuses = {verdict.status for verdict in decide(claims_on_the_bound(np.random.default_rng(run), n, family))}
        for status in errors:
            errors[status] += status in statuses
    return {status: count / runs for status, count in errors.items()}


def test_ten_null_claims_are_seldom_decided() -> None:
    runs = 60
    for status, share in family_wise_errors(runs, 96).items():
        assert share <= most_allowed(runs, 0.05), (status, share)


@pytest.mark.simulation
@pytest.mark.parametrize("n", [48, 192])
def test_family_wise_error(n: int) -> None:
    runs = 1000
    for status, share in family_wise_errors(runs, n).items():
        assert share <= most_allowed(runs, 0.05), (status, share)


def shown_worse(excess: float, runs: int, n: int, seed: int = 0) -> float:
    """How often a rival is shown to be worse by more than 0.05 whose true relative error is `excess` larger."""
    count = 0
    bootstrap = paired_bootstrap(n, 400, 0.95, 0)
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        total = rng.normal(size=n) ** 2
        own, other = (
            scale**2 * total * rng.gamma(2, 0.5, size=n) for scale in (0.2, 0.2 + excess)
        )  # fmt: skip
        errors = np.stack([own, other])
        circuits = tuple((ComponentRef("latent", (k,)),) for k in (0, 1))
        table = CircuitTable(circuits, total, {"sufficiency": MeasuredCircuits(errors, total - errors)}, (1,), pairs=n)
        count += measure_gaps(table, (1,), 0.05, bootstrap).p_worse[0] <= 0.05
    return count / runs


def test_size_and_power_of_a_comparison() -> None:
    assert shown_worse(0.05, 200, 96) <= most_allowed(200, 0.06)
    assert shown_worse(0.3, 50, 96) >= 0.95


@pytest.mark.simulation
@pytest.mark.parametrize("n", [48, 96, 192])
def test_size_of_a_comparison_at_its_margin(n: int) -> None:
    # The percentile bootstrap is a little liberal on few pairs.
    assert shown_worse(0.05, 4000, n, seed=1) <= 0.065


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["at_least", "at_most"])
@pytest.mark.parametrize("expect", ["mediated_share", "off_target"])
def test_size_on_the_bound(expect: str, bound: str) -> None:
    # The true ratio is the bound itself, so neither verdict is right; each may come up with probability alpha at most.
    runs, share = 400, 0.6
    n = 60
    sd = np.array([1.0, 1.0])
    claim = make_hypothesis(expect={expect: {bound: share}}, null={"circuits": "none"})
    spec = make_spec(hypotheses=[claim], bootstrap=200)
    counts = {"supported": 0, "refuted": 0, "inconclusive": 0}
    for seed in range(runs):
        rng = np.random.default_rng([2, seed])
        z, step = rng.normal(size=(n, 3)), rng.normal(1.0, 0.7, size=(n, 3))
        if expect == "mediated_share":
            # Latent 0 carries `share` of each pair's effect, give or take noise of latent 2 that is independent of it.
            step[:, 2] = rng.laplace(0, 0.25, size=n)
            step[:, 1] = (1 - share) * step[:, 0] - step[:, 2]

            def decode(z: Array) -> dict[str, Array]:
                return {"area": share * z[:, 0] + z[:, 1] + z[:, 2], "place": z[:, 2]}

            circuit = np.eye(3)[:, [0, 2]]
            truth_circuit = ["latent[0]", "latent[2]"]
        else:
            # The circuit's squared effects on place and area have expectations in the ratio share : 1 - share.
            step = rng.normal(0.5, 1, size=(n, 3))

            def decode(z: Array) -> dict[str, Array]:
                return {"area": np.sqrt(1 - share) * z[:, 0] + z[:, 2], "place": np.sqrt(share) * z[:, 1]}

            circuit = np.eye(3)[:, [0, 1]]
            truth_circuit = ["latent[0]", "latent[1]"]
        network = Network(spec, decode, z, z + step)
        # Standard deviations are given, not estimated, so that the true ratio is exactly the bound.
        network.observed = {
            name: np.array([-1.0, 1.0]) * value / np.sqrt(2) for name, value in zip(("area", "place"), sd, strict=True)
        }
        network.hypothesis("claim", tuple(range(len(truth_circuit))), moved=circuit)
        (verdict,) = judge(network.context(), Declared())
        counts[verdict.status] += 1
    allowed = most_allowed(runs, 0.05)
    assert counts["supported"] / runs <= allowed, counts
    assert counts["refuted"] / runs <= allowed, counts
