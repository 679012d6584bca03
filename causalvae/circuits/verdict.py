"""Hypotheses judged: refuted, supported, unspecific or inconclusive.

Supporting a hypothesis takes all that it claims (an intersection-union test: the largest p-value): its bounds, that the
circuit is special where that is part of the claim, and that it is minimal where that is. Refuting it takes one bound or
property that is shown to be false (a union over k of them: k times the smallest p-value). Two families of p-values are
Holm-adjusted across the spec's hypotheses: of the bounds, for and against; and of everything claimed together. The
bootstrap intervals of their margins must say the same: of all bounds to support, of the broken one to refute. Asking a
broken bound's interval to agree can only turn a refutation away, so the family-wise level stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from causalvae.circuits.cancelling import find_cancelling
from causalvae.circuits.failing import find_failing
from causalvae.circuits.hypothesis import BoundTest, assess_bound
from causalvae.circuits.minimality import examine_members
from causalvae.circuits.multiverse import compare_methods
from causalvae.circuits.obstacle import find_obstacle
from causalvae.circuits.rivals import compare_rivals
from causalvae.circuits.subsets import examine_subsets
from causalvae.circuits.table import CircuitTable, read_table
from causalvae.circuits.types import (
    Failing,
    Measure,
    Minimality,
    Multiverse,
    RelativeError,
    Rivals,
    Status,
    Subsets,
    UnitShare,
    Verdict,
)
from causalvae.effects import EffectContext, claim_columns
from causalvae.effects.bootstrap import PairedBootstrap, paired_bootstrap
from causalvae.effects.claims import RatioColumns, relative_error
from causalvae.effects.context import treated_factor
from causalvae.plan.types import Arm, ClaimDesign
from causalvae.selection import FoundLatents
from causalvae.spec.hypothesis_section import FEWEST_PAIRS, most_resamples
from causalvae.spec.schema import Bound, Hypothesis
from causalvae.statistics.multiplicity import adjust

# Resamples for each hypothesis over its level: the least p-value is then a tenth of what Holm's correction asks for.
_RESAMPLES = 10


class DeclaredGraph(Protocol):
    """What a verdict asks of the declared graph."""

    def descendants(self, node: str, /) -> Iterable[str]:
        """Nodes that `node` reaches."""
        ...


@dataclass(frozen=True)
class Evidence:
    """All that was found about one hypothesis, before the correction for testing several.

    Parameters
    ----------
    hypothesis : Hypothesis
    design : ClaimDesign
    bounds : tuple of BoundTest
    errors : tuple of RelativeError
    rivals : Rivals or None
    minimality : Minimality or None
    cancelling : tuple of UnitShare
    multiverse : Multiverse or None
    failing : Failing or None
    subsets : Subsets or None
    """

    hypothesis: Hypothesis
    design: ClaimDesign
    bounds: tuple[BoundTest, ...]
    errors: tuple[RelativeError, ...] = ()
    rivals: Rivals | None = None
    minimality: Minimality | None = None
    cancelling: tuple[UnitShare, ...] = ()
    multiverse: Multiverse | None = None
    failing: Failing | None = None
    subsets: Subsets | None = None

    @property
    def pairs(self) -> int:
        """Pairs of the bound that has the fewest."""
        return min(bound.test.n for bound in self.bounds)

    @property
    def p_bounds(self) -> float:
        """Largest p-value of all bounds."""
        return max(bound.test.p_support for bound in self.bounds)

    @property
    def p_support(self) -> float:
        """Largest p-value of everything claimed."""
        properties = []
        if self.rivals is not None and self.rivals.judged and self.rivals.p_value is not None:
            properties.append(self.rivals.p_value)
        if self.hypothesis.judges_minimal and len(self.design.members) > 1:
            properties.append(1.0 if self.minimality is None else self.minimality.p_minimal)
        if self.hypothesis.judges_unique:
            properties.append(1.0 if self.subsets is None else self.subsets.p_unique)
        return max([self.p_bounds, *properties])

    @property
    def claims(self) -> tuple[tuple[str, float, bool], ...]:
        """Each bound and then each claimed property: its name, the p-value against it, whether its interval agrees."""
        found = [(bound.test.name, bound.test.p_refute, bound.outside) for bound in self.bounds]
        if self.minimality is not None and self.minimality.judged:
            found.append(("minimal", self.minimality.p_not_minimal, True))
        if self.subsets is not None and self.subsets.judged:
            found.append(("unique", self.subsets.p_not_unique, True))
        return tuple(found)

    @property
    def against(self) -> tuple[float, ...]:
        """The p-values against each bound and each claimed property."""
        return tuple(p_value for _, p_value, _ in self.claims)

    @property
    def p_refute(self) -> float:
        """Smallest p-value against any of k claims, times k."""
        return min(1.0, len(self.against) * min(self.against))


def judge(
    context: EffectContext, graph: DeclaredGraph, found: Mapping[str, FoundLatents] | None = None
) -> tuple[Verdict, ...]:
    """Judge every hypothesis of a spec.

    Parameters
    ----------
    context : EffectContext
    graph : DeclaredGraph
        The declared graph: `descendants` of the treatment's factor are on target.
    found : mapping, optional
        Factor -> how its latents were chosen, where the spec left that to the run.

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
    hypotheses = context.spec.hypotheses
    if not hypotheses:
        return ()
    arms = {arm.id: arm for arm in context.plan.arms}
    verdicts = decide(
        [
            _called(_examine(context, hypothesis, graph, arms), context.scale.label(hypothesis.outcome))
            for hypothesis in hypotheses
        ]
    )
    chosen = found or {}
    return tuple(
        replace(verdict, selections=tuple(chosen[name] for name in dict.fromkeys(hypothesis.mapped) if name in chosen))
        for verdict, hypothesis in zip(verdicts, hypotheses, strict=True)
    )


def _called(evidence: Evidence, outcome: str) -> Evidence:
    """The same, its outcome called as a verdict calls it: the spec calls every whole output ``image``."""
    hypothesis = evidence.hypothesis
    return replace(evidence, hypothesis=hypothesis.model_copy(update={"outcome": outcome}))


def _examine(context: EffectContext, hypothesis: Hypothesis, graph: DeclaredGraph, arms: dict[str, Arm]) -> Evidence:
    factor = treated_factor(context.spec, hypothesis.treatment)
    reached = frozenset(context.spec.graph.attributes if factor is None else graph.descendants(factor))
    columns = claim_columns(context, hypothesis, reached)
    evidence = weigh(
        hypothesis,
        context.plan.claims[hypothesis.name],
        columns,
        read_table(context, hypothesis, arms, reached),
        context.bootstrap(next(iter(columns.values())).n),
        len(context.spec.hypotheses),
        compare_methods(context, hypothesis, arms),
        read_table(context, hypothesis, arms, reached, ("subset",)),
    )
    return replace(evidence, failing=find_failing(context, hypothesis))


def weigh(
    hypothesis: Hypothesis,
    design: ClaimDesign,
    columns: Mapping[str, RatioColumns],
    table: CircuitTable | None,
    bootstrap: PairedBootstrap,
    family: int,
    multiverse: Multiverse | None = None,
    sets: CircuitTable | None = None,
) -> Evidence:
    """Test everything about one hypothesis.

    Parameters
    ----------
    hypothesis : Hypothesis
    design : ClaimDesign
    columns : mapping
        Quantity -> columns; every quantity that the claim bounds, and the two fits where it bounds a share.
    table : CircuitTable or None
        Its rivals; None where there are none or the treatment changes nothing.
    bootstrap : PairedBootstrap
        Gives resamples, confidence and seed.
    family : int
        Hypotheses of the spec.
    multiverse : Multiverse, optional
    sets : CircuitTable, optional
        The sets of units or of members that are run in addition, on their own number of pairs.
    """
    implied = {
        "mediated_share": hypothesis.share_bound,
        "pairwise_fit": hypothesis.fit_bound,
        "equivalent": _equivalence_bound(hypothesis, columns),
    }
    claimed = {quantity: bound for quantity, bound in implied.items() if bound is not None}
    claimed |= {quantity: bound for quantity, bound in hypothesis.expect.bounds.items() if quantity not in implied}
    share = hypothesis.expect.bound("mediated_share")
    alpha = hypothesis.alpha / family
    bounds = tuple(
        assess_bound(
            columns[quantity],
            bound,
            _over(bootstrap, columns[quantity].n),
            alpha,
            len(claimed),
            quantity == "mediated_share" and (share is None or share.at_most is None),
        )
        for quantity, bound in claimed.items()
    )
    if not hypothesis.claims_a_share:
        return Evidence(hypothesis, design, bounds)
    measures: dict[str, Measure] = {"pairwise_fit": "sufficiency", "removal_fit": "necessity"}
    errors = []
    for quantity, measure in measures.items():
        fit = columns[quantity]
        if not fit.undefined:
            value, (lower, upper, _) = relative_error(fit, _over(bootstrap, fit.n))
            errors.append(RelativeError(measure, value, lower, upper, bootstrap.confidence, fit.n))
    compared = None
    if table is not None:
        # A claim to be minimal is refuted by one of its members, at a level divided by members and claims.
        steps = 2 * len(design.members) * (len(claimed) + 1) if hypothesis.judges_minimal else 0
        least = math.ceil(max(_RESAMPLES, steps) * family / hypothesis.alpha)
        wanted = min(least, most_resamples(len(table.total)))
        compared = _over(bootstrap, len(table.total), max(bootstrap.resamples, wanted))
    over_sets = None
    if sets is not None:
        # Whether a claim to be unique is refuted is one of its claims.
        least = math.ceil(_RESAMPLES * (len(claimed) + 1) * family / hypothesis.alpha)
        wanted = min(least, most_resamples(len(sets.total)))
        over_sets = _over(bootstrap, len(sets.total), max(bootstrap.resamples, wanted))
    return Evidence(
        hypothesis,
        design,
        bounds,
        tuple(errors),
        compare_rivals(table, hypothesis, design, compared),
        examine_members(table, hypothesis, design, compared, sets),
        find_cancelling(table, compared),
        multiverse,
        subsets=examine_subsets(sets, hypothesis, design, over_sets, alpha),
    )


def _equivalence_bound(hypothesis: Hypothesis, columns: Mapping[str, RatioColumns]) -> Bound | None:
    """The margin of equivalence on both sides of zero, or of a distance, which is never negative, from above alone."""
    bound = hypothesis.equivalence_bound
    return hypothesis.expect.bound("equivalent") if bound is not None and columns["equivalent"].is_size else bound


def _over(bootstrap: PairedBootstrap, n: int, resamples: int | None = None) -> PairedBootstrap:
    """The same bootstrap over `n` pairs, with more resamples where that is asked."""
    return paired_bootstrap(n, resamples or bootstrap.resamples, bootstrap.confidence, bootstrap.seed, bootstrap.bca)


def decide(found: Sequence[Evidence]) -> tuple[Verdict, ...]:
    """The verdicts on all hypotheses of a spec, from the evidence on each."""
    support = adjust([evidence.p_support for evidence in found], "holm").tolist()
    bounds = adjust([evidence.p_bounds for evidence in found], "holm").tolist()
    return tuple(
        _decide(evidence, support[position], bounds[position], _refute(found, position))
        for position, evidence in enumerate(found)
    )


def _refute(found: Sequence[Evidence], position: int) -> tuple[float, ...]:
    """Holm-adjusted p-values against each claim of one hypothesis, which the smallest of them refutes.

    Each claim takes its hypothesis' place in Holm's order in turn; the one with the smallest p-value gives the
    hypothesis' own adjusted p-value, and the others are never smaller.
    """
    others = [evidence.p_refute for evidence in found]
    against = found[position].against
    adjusted = []
    for p_value in against:
        p_values = list(others)
        p_values[position] = min(1.0, len(against) * p_value)
        adjusted.append(float(adjust(p_values, "holm")[position]))
    return tuple(adjusted)


def _decide(evidence: Evidence, p_support: float, p_bounds: float, against: Sequence[float]) -> Verdict:
    hypothesis, alpha = evidence.hypothesis, evidence.hypothesis.alpha
    names = [name for name, _, _ in evidence.claims]
    # A poor fit is told only where nothing else is broken: a share out of bounds says why.
    broken = sorted(
        (name == "pairwise_fit", p, place)
        for place, ((name, _, shown), p) in enumerate(zip(evidence.claims, against, strict=True))
        if p <= alpha and shown
    )
    inside = all(bound.inside for bound in evidence.bounds)
    status: Status = "inconclusive"
    if evidence.pairs < FEWEST_PAIRS:
        broken = []
    elif broken:
        status = "refuted"
    elif p_support <= alpha and inside:
        status = "supported"
    elif p_bounds <= alpha and inside and evidence.rivals is not None and evidence.rivals.judged:
        status = "unspecific" if evidence.rivals.meets else status
    needed = _needed(evidence) if status == "inconclusive" else None
    return Verdict(
        hypothesis=hypothesis.name,
        claim=hypothesis.claim,
        treatment=hypothesis.treatment,
        circuit=evidence.design.circuit,
        outcome=hypothesis.outcome,
        status=status,
        tests=tuple(bound.test for bound in evidence.bounds),
        p_support=p_support,
        p_refute=min(against),
        p_bounds=p_bounds,
        alpha=alpha,
        needed=needed,
        errors=evidence.errors,
        rivals=evidence.rivals,
        minimality=evidence.minimality,
        cancelling=evidence.cancelling,
        multiverse=evidence.multiverse,
        failing=evidence.failing,
        broken=names[broken[0][-1]] if broken else "",
        obstacle=(
            find_obstacle(
                hypothesis, evidence.bounds, evidence.rivals, evidence.minimality, needed, (p_support, min(against)),
                evidence.pairs, evidence.subsets,
            )
            if status == "inconclusive"
            else None
        ),
        judges_special=hypothesis.judges_special,
        judges_minimal=hypothesis.judges_minimal,
        judges_unique=hypothesis.judges_unique,
        subsets=evidence.subsets,
    )  # fmt: skip


def _needed(evidence: Evidence) -> int | None:
    """Pairs that would probably settle the verdict: to refute if any bound leans that way, else to support all."""
    if evidence.pairs < FEWEST_PAIRS:
        return None
    against = [bound.needed for bound in evidence.bounds if bound.leans == "refute" and bound.needed is not None]
    if against:
        return min(against) if min(against) > evidence.bounds[0].test.n else None
    support = [bound.needed for bound in evidence.bounds]
    if None in support:
        return None
    most = max(n for n in support if n is not None)
    return most if most > evidence.bounds[0].test.n else None
