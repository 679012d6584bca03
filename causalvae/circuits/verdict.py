"""Hypotheses judged: supported, refuted or inconclusive.

Supporting a hypothesis takes all its tests (an intersection-union test: the largest p-value); refuting it takes one
broken bound (a union over k bounds: k times the smallest p-value). Both p-values are Holm-adjusted across the spec's
hypotheses, and the bootstrap intervals must say the same: of all bounds to support, of one that is broken to refute.
Asking a broken bound's interval to agree can only turn a refutation away, so the family-wise level stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from causalvae.circuits.hypothesis import BoundTest, assess_bound
from causalvae.circuits.multiverse import compare_ways
from causalvae.circuits.nulls import compare_with_nulls, null_test, stands_out
from causalvae.circuits.types import Multiverse, NullCircuits, Status, Verdict
from causalvae.circuits.wording import explain
from causalvae.effects import Study, claim_columns, open_study
from causalvae.effects.outcomes import use_at
from causalvae.effects.study import treated_factor
from causalvae.engine.measurements import Measurements
from causalvae.plan.types import Arm, Plan
from causalvae.spec.schema import Bound, Hypothesis, Spec
from causalvae.spec.whole_output import WholeOutput


class DeclaredGraph(Protocol):
    """What a verdict asks of the declared graph."""

    def descendants(self, node: str, /) -> Iterable[str]:
        """Nodes that `node` reaches."""
        ...


@dataclass(frozen=True)
class Evidence:
    """All tests of one hypothesis, before the correction for testing several.

    Parameters
    ----------
    hypothesis : Hypothesis
    circuit : tuple of str
        Resolved addresses.
    bounds : tuple of BoundTest
    null : NullCircuits or None
    multiverse : Multiverse or None
    """

    hypothesis: Hypothesis
    circuit: tuple[str, ...]
    bounds: tuple[BoundTest, ...]
    null: NullCircuits | None
    multiverse: Multiverse | None = None

    @property
    def p_support(self) -> float:
        """Largest p-value of all tests."""
        null = [] if self.null is None else [self.null.p_value]
        return max([bound.test.p_support for bound in self.bounds] + null)

    @property
    def p_refute(self) -> float:
        """Smallest p-value of the k bounds, times k."""
        return min(1.0, len(self.bounds) * min(bound.test.p_refute for bound in self.bounds))


_IMAGE = WholeOutput.of((1, 1, 1))


def judge(
    spec: Spec,
    plan: Plan,
    measurements: Measurements,
    graph: DeclaredGraph,
    periods: Mapping[str, float] | None = None,
    whole: WholeOutput = _IMAGE,
) -> tuple[Verdict, ...]:
    """Judge every hypothesis of a spec.

    Parameters
    ----------
    spec : Spec
    plan : Plan
        Compiled from `spec`.
    measurements : Measurements
        The answer to `plan`.
    graph : DeclaredGraph
        The declared graph: `descendants` of the treatment's factor are on target.
    periods : mapping of str to float, optional
        Attribute -> period, for attributes on a circle.
    whole : WholeOutput, optional
        The decoded output as one outcome; an image where left out.

    Returns
    -------
    tuple of Verdict
        In the spec's order.

    Raises
    ------
    CausalVAEError
        CV501 where measurements are missing, CV502 where the plan lacks an arm, CV503 with fewer than two pairs, CV504
        where a total effect is claimed of an outcome that does not vary.
    """
    if not spec.hypotheses:
        return ()
    study = open_study(spec, plan, measurements, whole, periods)
    arms = {arm.id: arm for arm in plan.arms}
    found = [
        _called(_examine(study, hypothesis, graph, arms), study.scale.label(hypothesis.outcome))
        for hypothesis in spec.hypotheses
    ]
    support = holm([evidence.p_support for evidence in found])
    return tuple(
        _decide(evidence, support[position], _refute(found, position), len(found))
        for position, evidence in enumerate(found)
    )


def _called(evidence: Evidence, outcome: str) -> Evidence:
    """The same, its outcome called as a verdict calls it: the spec calls every whole output ``image``."""
    hypothesis = evidence.hypothesis
    return replace(evidence, hypothesis=hypothesis.model_copy(update={"outcome": outcome}))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979)."""
    count = len(p_values)
    adjusted = [1.0] * count
    running = 0.0
    for rank, position in enumerate(sorted(range(count), key=p_values.__getitem__)):
        running = max(running, (count - rank) * p_values[position])
        adjusted[position] = min(1.0, running)
    return tuple(adjusted)


def _examine(study: Study, hypothesis: Hypothesis, graph: DeclaredGraph, arms: dict[str, Arm]) -> Evidence:
    owner = f"hypothesis:{hypothesis.name}"
    factor = treated_factor(study.spec, hypothesis.treatment)
    reached = frozenset(study.spec.graph.attributes if factor is None else graph.descendants(factor))
    columns = claim_columns(study, hypothesis, reached)
    alpha = hypothesis.alpha / len(study.spec.hypotheses)
    expectations: dict[str, Bound | None] = {
        "mediated_share": hypothesis.expect.mediated_share,
        "necessity": hypothesis.expect.necessity,
        "off_target": hypothesis.expect.off_target,
        "total_effect": hypothesis.expect.total_effect,
    }
    claimed = {quantity: bound for quantity, bound in expectations.items() if bound is not None}
    bounds = tuple(
        assess_bound(columns[quantity], bound, study.bootstrap(columns[quantity].n), alpha, len(claimed))
        for quantity, bound in claimed.items()
    )
    null = compare_with_nulls(study, hypothesis, arms)
    circuit = tuple(use_at(study.plan, owner, "sufficiency").component.split(" + "))
    return Evidence(hypothesis, circuit, bounds, null, compare_ways(study, hypothesis, columns, arms))


def _refute(found: Sequence[Evidence], position: int) -> tuple[float, ...]:
    """Holm-adjusted p-values against each bound of one hypothesis, which the smallest of them refutes.

    Each bound takes its hypothesis' place in Holm's order in turn; the one with the smallest p-value gives the
    hypothesis' own adjusted p-value, and the others are never smaller.
    """
    others = [evidence.p_refute for evidence in found]
    evidence = found[position]
    adjusted = []
    for bound in evidence.bounds:
        p_values = list(others)
        p_values[position] = min(1.0, len(evidence.bounds) * bound.test.p_refute)
        adjusted.append(holm(p_values)[position])
    return tuple(adjusted)


def _decide(evidence: Evidence, p_support: float, against: Sequence[float], family: int) -> Verdict:
    hypothesis, p_refute = evidence.hypothesis, min(against)
    broken = sorted(
        (p, place)
        for place, (bound, p) in enumerate(zip(evidence.bounds, against, strict=True))
        if p <= hypothesis.alpha and bound.outside
    )
    status: Status = "inconclusive"
    if p_support <= hypothesis.alpha and all(bound.inside for bound in evidence.bounds):
        status = "supported"
    elif broken:
        status = "refuted"
    needed = _needed(evidence, family) if status == "inconclusive" else None
    first = evidence.bounds[broken[0][1]] if status == "refuted" else None
    tests = tuple(bound.test for bound in evidence.bounds)
    if evidence.null is not None:
        tests = (*tests, null_test(evidence.null))
    return Verdict(
        hypothesis=hypothesis.name,
        claim=hypothesis.claim,
        treatment=hypothesis.treatment,
        circuit=evidence.circuit,
        outcome=hypothesis.outcome,
        status=status,
        reason=explain(status, hypothesis, evidence.bounds, first, evidence.null, needed, family, p_support, p_refute),
        tests=tests,
        null=evidence.null,
        p_support=p_support,
        p_refute=p_refute,
        alpha=hypothesis.alpha,
        needed=needed,
        multiverse=evidence.multiverse,
    )


def _needed(evidence: Evidence, family: int) -> int | None:
    """Pairs that would probably settle the verdict: to refute if any bound leans that way, else to support all."""
    against = [bound.needed for bound in evidence.bounds if bound.leans == "refute" and bound.needed is not None]
    if against:
        return min(against) if min(against) > evidence.bounds[0].test.n else None
    if evidence.null is not None and not stands_out(evidence.null, evidence.hypothesis.alpha, family):
        return None
    support = [bound.needed for bound in evidence.bounds]
    if None in support:
        return None
    most = max(n for n in support if n is not None)
    return most if most > evidence.bounds[0].test.n else None
