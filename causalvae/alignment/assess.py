"""The declared graph against the network, in one value."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from causalvae.alignment.interventional import VIAS, Via, check_edges
from causalvae.alignment.pgmpy_adapter import (
    TEST_NAME,
    IndependenceChecks,
    check_independencies,
    describe,
    structural_hamming_distance,
)
from causalvae.alignment.types import Alignment, EdgeCheck, EdgeStatus
from causalvae.alignment.variables import gather_variables
from causalvae.engine.measurements import Measurements
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.graph import CausalGraph
from causalvae.plan.types import Plan
from causalvae.spec.schema import Spec

_PLACES = {"input": "on the input", "component": "at the mapped components"}


def assess(
    spec: Spec,
    plan: Plan,
    measurements: Measurements,
    graph: CausalGraph,
    periods: Mapping[str, float] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Alignment:
    """Hold the declared graph against what was measured.

    Parameters
    ----------
    spec : Spec
        Its `alignment`, `estimation` and `mapping` sections.
    plan : Plan
        With the ``alignment:`` uses.
    measurements : Measurements
        Of that plan.
    graph : CausalGraph
        The declared graph.
    periods : mapping, optional
        Attribute -> after how much it repeats, such as pi for an axis's orientation.
    on_progress : callable, optional
        Called with `Progress` of the stages ``edges`` and ``independencies``.

    Returns
    -------
    Alignment
        An edge is a factor and an attribute that it is an ancestor of, whatever lies between. `primary` is "component"
        where every factor that has a descendant attribute was checked at mapped components, else "input". With S
        supported, X spurious and D declared pairs, precision = S / (S + X), recall = S / D and F1 = 2 S / (S + X + D),
        each None where it is 0 / 0.
    """
    started = time.perf_counter()
    declared = declared_relations(graph)

    def report(stage: str, unit: str, done: int, total: int) -> None:
        on_progress(Progress(stage, done, total, unit))

    edges = check_edges(
        spec, plan, measurements, declared, periods, lambda done, total: report("edges", "factors", done, total)
    )
    variables = gather_variables(spec, measurements, periods)
    samples = len(next(iter(variables.values())).values)
    independencies = check_independencies(
        graph.implied_independencies(),
        variables,
        spec.alignment.alpha,
        spec.alignment.correction,
        spec.execution.seed,
        lambda done, total: report("independencies", "tests", done, total),
    )
    primary = _choose_primary(edges.checks, declared)
    judged = [check for check in edges.checks if check.via == primary]
    supported = _count(judged, "supported")
    present = supported + _count(judged, "spurious")
    expected = sum(check.declared for check in judged)
    recovered = {
        (check.source, check.target)
        for check in judged
        if check.status in ("supported", "spurious") or (check.status == "undecided" and check.declared)
    }
    return Alignment(
        edges=edges.checks,
        independencies=independencies.checks,
        fisher_c=independencies.fisher_c,
        fisher_p=independencies.fisher_p,
        test=TEST_NAME,
        correction=spec.alignment.correction,
        alpha=spec.alignment.alpha,
        precision=_ratio(supported, present),
        recall=_ratio(supported, expected),
        f1=_ratio(2 * supported, present + expected),
        shd=structural_hamming_distance(
            (*graph.factors, *graph.attributes),
            {(check.source, check.target) for check in judged if check.declared},
            recovered,
        ),
        primary=primary,
        samples=samples,
        seconds=time.perf_counter() - started,
        notes=(
            *_explain_edges(edges.checks, judged, primary, declared),
            *edges.notes,
            *_explain_independencies(independencies, spec.alignment.alpha),
            *independencies.notes,
        ),
    )


def declared_relations(graph: CausalGraph) -> frozenset[tuple[str, str]]:
    """The (factor, attribute) pairs with a directed path from the one to the other."""
    return frozenset(
        (factor, node) for factor in graph.factors for node in graph.descendants(factor) if node in graph.attributes
    )


def _choose_primary(checks: Sequence[EdgeCheck], declared: frozenset[tuple[str, str]]) -> Via:
    needed = {source for source, _ in declared}
    at_components = {check.source for check in checks if check.via == "component"}
    return "component" if at_components and needed <= at_components else "input"


def _count(checks: Sequence[EdgeCheck], status: EdgeStatus) -> int:
    return sum(check.status == status for check in checks)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _explain_edges(
    checks: Sequence[EdgeCheck], judged: Sequence[EdgeCheck], primary: Via, declared: frozenset[tuple[str, str]]
) -> list[str]:
    if not checks:
        return ["No edge was tested by intervention: the plan holds no alignment arms."]
    notes = [
        f"The summary counts interventions {_PLACES[primary]}: {len(judged)} pairs of factor and attribute, "
        f"{_count(judged, 'undecided')} of them undecided. Undecided pairs count as they are declared in the distance, "
        "and as not present in precision and recall."
    ]
    unchecked = {source for source, _ in declared} - {check.source for check in checks if check.via == "component"}
    if primary == "input" and unchecked:
        names = ", ".join(sorted(unchecked))
        notes.append(f"Not every factor that reaches an attribute is mapped to components; without a mapping: {names}.")
    if not judged:
        notes.append("No pair of that kind was measured.")
    for via in VIAS:
        for status, sentence in (
            ("missing", "declared, and shown to change it by less than the tolerance"),
            ("spurious", "not declared, and found to change it by more than the tolerance"),
        ):
            found = [check for check in checks if check.via == via and check.status == status]
            if found:
                pairs = ", ".join(f"{check.source} -> {check.target} ({check.effect:.2g} sd)" for check in found)
                notes.append(f"{status.capitalize()} {_PLACES[via]} ({sentence}): {pairs}.")
    return notes


def _explain_independencies(found: IndependenceChecks, alpha: float) -> list[str]:
    if not found.checks:
        untested = "No implied independence could be tested."
        return [untested if found.notes else "The declared graph implies no independence."]
    violated = [check for check in found.checks if check.rejected]
    if not violated:
        return [
            f"None of {len(found.checks)} implied independencies is rejected at {alpha:g} after correction, which is "
            "agreement as far as this many samples can tell, and no proof of the graph."
        ]
    claims = "; ".join(
        f"{describe(check.left, check.right, check.given)} (residual correlation {check.effect:.2f})"
        for check in violated
    )
    return [
        f"{len(violated)} of {len(found.checks)} implied independencies are violated: {claims}. Each of these pairs "
        "shares something that the declared graph does not give it: an edge between them, or a common cause. The test "
        "asks whether there is a dependence, not whether it is large: read the correlation with it."
    ]
