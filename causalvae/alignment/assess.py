"""The declared graph against data, network and mapping, in one value."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from causalvae.alignment.associations import decide_associations
from causalvae.alignment.columns import Units, read_columns
from causalvae.alignment.decisions import Decider, decide
from causalvae.alignment.hidden_causes import find_hidden_causes
from causalvae.alignment.implied import Draw, assess_independencies, rule_of
from causalvae.alignment.independencies import TEST_NAME
from causalvae.alignment.interchange import measure_interchange, worst
from causalvae.alignment.learned import learn_structure
from causalvae.alignment.relabelled import compare_relabelled
from causalvae.alignment.rivals import judge_rivals
from causalvae.alignment.support import Ellipse, fit_ellipse
from causalvae.alignment.types import (
    Alignment,
    GraphCount,
    Headline,
    Interchange,
    Link,
    LinkCount,
    LinkStatus,
    PairCheck,
    Reconstruction,
    Support,
)
from causalvae.alignment.variables import kind_of
from causalvae.effects.outcomes import Outcomes
from causalvae.engine.measurements import Measurements
from causalvae.engine.observed_columns import ON_BOTH, column_of
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.graph import CausalGraph
from causalvae.plan.types import Plan
from causalvae.spec.digraph import reachable
from causalvae.spec.schema import Spec


def assess(
    spec: Spec,
    outcomes: Outcomes,
    graph: CausalGraph,
    labels: Mapping[str, Mapping[float, str]] | None = None,
    draw: Draw | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Alignment:
    """Hold the declared graph against the data, the network against the data, and the mapping against the network.

    Parameters
    ----------
    spec : Spec
        Its `alignment`, `estimation` and `mapping` sections; completed with what the data know of its factors.
    outcomes : Outcomes
        Of a plan with the ``alignment:`` uses and the contrasts.
    graph : CausalGraph
        The declared graph.
    labels : mapping, optional
        Categorical factor -> value -> name of the level.
    draw : callable, optional
        Draws more samples of the data, for the tests of independence; the observed ones serve where omitted.
    on_progress : callable, optional
        Called with `Progress` of the stages ``pairs`` and ``independencies``.

    Returns
    -------
    Alignment
        See `causalvae.alignment.decisions` for what is compared with what.
    """
    started = time.perf_counter()
    measurements, labels = outcomes.measurements, labels or {}
    plan = measurements.plan

    def report(stage: str, unit: str, done: int, total: int) -> None:
        on_progress(Progress(stage, done, total, unit))

    units = Units(spec, measurements)
    declared = direct_relations(graph)
    decider = Decider(spec, declared)
    ellipse, correlation = ellipse_of(spec, measurements)
    report("pairs", "pairs", 0, 1)
    columns = read_columns(spec, outcomes, units, ellipse)
    checks = decide(decider, columns, declared, lambda name, level: labels.get(name, {}).get(level, f"{level:g}"))
    checks += decide_associations(
        spec, outcomes, units, decider, declared, lambda name: spec.graph.factors[name].kind != "continuous"
    )
    report("pairs", "pairs", len(checks), len(checks))
    found = (measure_interchange(item, spec.estimation.confidence) for item in columns)
    interchanges = tuple(item for item in found if item is not None)
    reconstructions = _reconstructions(plan, measurements, units)
    inside = [item.columns[0].inside for item in columns if item.columns]
    outside = float(1 - np.concatenate(inside).mean()) if ellipse is not None and inside else None

    implied = assess_independencies(
        spec, measurements, graph, draw, lambda done, total: report("independencies", "tests", done, total)
    )
    of_network = next(family for family in implied.families if family.of == "network")
    return Alignment(
        pairs=tuple(checks),
        headline=_headline(checks, interchanges, reconstructions, graph, spec),
        interchanges=interchanges,
        reconstructions=reconstructions,
        support=Support(outside, correlation),
        independencies=implied.checks,
        fisher_c=of_network.fisher_c,
        fisher_p=of_network.fisher_p,
        test=TEST_NAME,
        correction=spec.alignment.correction,
        alpha=spec.alignment.alpha,
        tolerance=spec.alignment.tolerance,
        samples=of_network.samples,
        seconds=time.perf_counter() - started,
        notes=(*dict.fromkeys(units.notes), *implied.notes),
        families=implied.families,
        learned=learn_structure(graph, implied.data, checks),
        graphs=judge_rivals(graph, spec.alignment.rival_pairs, direct_relations, checks, implied.data, rule_of(spec)),
        relabelling=compare_relabelled(spec, graph, implied.data),
        hidden=find_hidden_causes(graph, implied.data, checks, rule_of(spec)),
    )


def ellipse_of(spec: Spec, measurements: Measurements) -> tuple[Ellipse | None, float]:
    """Where the data are; see `fit_ellipse`."""
    numbers = [name for name in spec.graph.factors if kind_of(spec, name, measurements.periods)[0] == "numeric"]
    observed = [name for name in numbers if column_of("factor", name) in measurements.observations]
    return fit_ellipse(measurements.observations, observed)


def direct_relations(graph: CausalGraph) -> frozenset[tuple[str, str]]:
    """The pairs of a factor and another node that the graph gives an effect when all other factors are held.

    An edge between factors, an edge from a factor to an attribute, or a path from it through attributes alone.
    """
    edges = [(parent, child) for parent, child in graph.edges if child in graph.attributes]
    to_attributes = {(factor, node) for factor in graph.factors for node in reachable(factor, edges)}
    between = {(parent, child) for parent, child in graph.edges if parent in graph.factors and child in graph.factors}
    return frozenset(to_attributes | between)


def _reconstructions(plan: Plan, measurements: Measurements, units: Units) -> tuple[Reconstruction, ...]:
    """How far outputs are from inputs in each attribute, over the observed samples."""
    table, found = measurements.observations, []
    for name in plan.attributes:
        if name in plan.latent_attributes:
            continue
        sides = [table[column_of(group, name)].to_numpy(np.float64) for group in ON_BOTH]
        changes = units[name].change(*sides)
        changes = changes[np.isfinite(changes)]
        if len(changes):
            found.append(Reconstruction(name, float(np.sqrt((changes**2).mean()))))
    return tuple(found)


def _headline(
    checks: Sequence[PairCheck],
    interchanges: Sequence[Interchange],
    reconstructions: Sequence[Reconstruction],
    graph: CausalGraph,
    spec: Spec,
) -> Headline:
    statuses = [check.graph for check in checks]
    wrong = ("missing", "undeclared", "reversed")
    networks = [check.network for check in checks if check.network is not None]
    mappings = [check.mapping for check in checks if check.mapping is not None]
    return Headline(
        graph=GraphCount(
            as_declared=sum(status in ("present", "absent") for status in statuses),
            wrong=sum(status in wrong for status in statuses),
            undecided=statuses.count("undecided"),
            untested=statuses.count("untested"),
        ),
        lost=_count(networks, "lost", "kept", lambda link: link.share is not None),
        invented=_count(networks, "added", "none", lambda link: link.share is None),
        missing=_count(mappings, "lost", "kept", lambda link: link.share is not None),
        spurious=_count(mappings, "added", "none", lambda link: link.share is None),
        mapped=tuple(name for name in graph.factors if name in spec.mapping),
        unmapped=tuple(name for name in graph.factors if name not in spec.mapping),
        worst_interchange=worst(interchanges),
        worst_reconstruction=max(reconstructions, key=lambda item: item.error, default=None),
    )


def _count(links: Iterable[Link], departs: LinkStatus, agrees: LinkStatus, of: Callable[[Link], bool]) -> LinkCount:
    mine = [link for link in links if link.status in (departs, agrees) or (link.status == "undecided" and of(link))]
    return LinkCount(
        sum(link.status == departs for link in mine), len(mine), sum(link.status == "undecided" for link in mine)
    )
