"""What the components mapped to a factor carry of another factor that is joined to it by an edge.

A network cannot be asked for the direction of an edge between factors: its inputs are the same either way. It can be
asked whether the components of the one change with the other alone, and whether they follow it where the data do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from causalvae.alignment.assess import direct_relations, ellipse_of
from causalvae.alignment.columns import FactorColumns, Units, read_columns
from causalvae.alignment.types import Alignment, EdgeDiagnosis
from causalvae.data.others import Release
from causalvae.effects.outcomes import Outcomes
from causalvae.engine.execute import choose_device
from causalvae.engine.unstored import UnstoredArms
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver, joint_patches
from causalvae.plan.types import Contrast, Plan
from causalvae.session import Session
from causalvae.spec.value_source import make_source

FloatArray = npt.NDArray[np.float64]

_PAIRS = 128
_OTHER_SIDE = make_source("interchange")


def diagnose_edges(session: Session, outcomes: Outcomes, alignment: Alignment) -> Alignment:
    """The alignment with a diagnosis of every declared edge between factors, in both directions.

    Parameters
    ----------
    session : Session
    outcomes : Outcomes
    alignment : Alignment
    """
    plan = outcomes.measurements.plan
    wanted = _wanted(session, plan)
    if not wanted:
        return alignment
    spec, measurements = session.completed_spec, outcomes.measurements
    units = Units(spec, measurements)
    ellipse = ellipse_of(spec, measurements)[0]
    columns = {item.factor: item for item in read_columns(spec, outcomes, units, ellipse)}
    found = [
        diagnosis
        for contrast, target, declared in wanted
        if (diagnosis := _diagnose(session, plan, units, columns[contrast.factor], contrast, target, declared))
    ]
    return replace(alignment, edges=tuple(found))


def most_forwards(session: Session, plan: Plan) -> float:
    """What `diagnose_edges` runs at most, in whole forward passes: both sides, and one side with patches."""
    return sum(
        3.0 * min(_PAIRS, contrast.pairs) * (2 if declared else 1) for contrast, _, declared in _wanted(session, plan)
    )


def _wanted(session: Session, plan: Plan) -> list[tuple[Contrast, str, bool]]:
    """What one factor does to another that has components, and whether such an edge is declared."""
    graph = session.graph
    between = [edge for edge in graph.edges if set(edge) <= set(graph.factors)]
    # A structural model alone tells what one factor does to another.
    contrasts = {item.factor: item for item in plan.contrasts if item.released}
    return [
        (contrasts[source], target, (source, target) in between)
        for edge in between
        for source, target in (edge, edge[::-1])
        if source in contrasts and target in session.spec.mapping
    ]


def _diagnose(
    session: Session,
    plan: Plan,
    units: Units,
    columns: FactorColumns,
    contrast: Contrast,
    target: str,
    declared: bool,
) -> EdgeDiagnosis | None:
    stop = min(_PAIRS, contrast.pairs)
    inside = columns.columns[0].inside[:stop]
    names = [name for name in plan.attributes if name not in plan.latent_attributes]
    if not inside.any() or not names:
        return None
    base, held = _run(session, plan, contrast, (), target, stop)
    leaks = _sizes(plan, units, base, held, inside, names)
    leaking = max(leaks, key=lambda name: leaks[name])
    kept: dict[str, float] = {}
    own = {child for parent, child in direct_relations(session.graph) if parent == target and child in names}
    if declared and own:
        _, released = _run(session, plan, contrast, (target,), target, stop)
        kept = _sizes(plan, units, held, released, inside, sorted(own, key=names.index))
    following = max(kept, key=lambda name: kept[name], default="")
    return EdgeDiagnosis(
        contrast.factor, target, leaks[leaking], leaking, kept.get(following), following, int(inside.sum())
    )


def _run(
    session: Session, plan: Plan, contrast: Contrast, released: tuple[str, ...], target: str, stop: int
) -> FloatArray:
    """Attributes without and with the target's components from the input in which the factor is set."""
    cohort, name = plan.cohort(contrast.cohort), contrast.cohort
    if released:
        # The same pairs, since these are drawn by the seed.
        others = Release((*released, *contrast.undeclared))
        name = f"{contrast.cohort} releasing {', '.join(released)}"
        if cohort.treatment is None:
            raise ValueError(f"{contrast.cohort} sets nothing")
        treatment = replace(cohort.treatment, name=name, others=others)
        plan = replace(plan, cohorts=(replace(cohort, name=name, treatment=treatment),))
    owner = Owner("mapping", target)
    parts = Resolver(session.spec, session.model.components).find(f"${target}", str(owner))
    device = choose_device(session.spec.execution.device)
    runner = UnstoredArms(plan, session.model, session.dataset, session.measure, device, name, _OTHER_SIDE)
    return runner.run([("base", ()), ("base", joint_patches(parts, _OTHER_SIDE, owner))], 0, stop)


def _sizes(
    plan: Plan,
    units: Units,
    before: FloatArray,
    after: FloatArray,
    inside: npt.NDArray[np.bool_],
    names: list[str],
) -> dict[str, float]:
    """Root mean square change of attributes, in standard deviations over the data."""
    found = {}
    for name in names:
        position = plan.attributes.index(name)
        change = units[name].change(before[:, position], after[:, position])[inside]
        change = change[np.isfinite(change)]
        found[name] = float(np.sqrt((change**2).mean())) if len(change) else 0.0
    return found
