"""The named metrics of a run: strength, specificity, modularity, kinds of units, each beside its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import Ends, PairedBootstrap
from causalvae.effects.context import EffectContext
from causalvae.effects.effect_matrix import EffectMatrix, markers_of
from causalvae.effects.metric_rows import MetricFacts
from causalvae.effects.notes import Note
from causalvae.effects.types import Estimate, MetricRow, UnitRole
from causalvae.effects.units import OutputChanges, classify_units, polysemantic_share
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Metrics:
    """What the named metrics add to a run's effects.

    Parameters
    ----------
    estimates : tuple of Estimate
        Of components: ``causal_effect_strength_calibrated``, ``output_specificity`` and ``output_specificity_bounded``.
        Of whole interventions: ``modularity`` (one a layer), ``graph_modularity``, ``polysemantic_share``.
    units : tuple of UnitRole
    rows : tuple of MetricRow
    """

    estimates: tuple[Estimate, ...] = ()
    units: tuple[UnitRole, ...] = ()
    rows: tuple[MetricRow, ...] = ()


def measure_metrics(
    context: EffectContext, copy: EffectContext | None = None, oracle: MetricFacts | None = None
) -> Metrics:
    """The metrics of every latent perturbation and activation sweep of a run.

    Parameters
    ----------
    context : EffectContext
    copy : EffectContext, optional
        The same perturbations on a copy of the network with weights drawn anew.
    oracle : MetricFacts, optional
        The same facts of the data's own factors, changed one at a time in the true input.
    """
    estimates: list[Estimate] = []
    units: list[UnitRole] = []
    rows: list[MetricRow] = []
    for intervention in context.spec.interventions:
        found = intervention.level.metrics(context, Owner.intervention(intervention.name), copy, oracle)
        if found is not None:
            estimates += found.estimates
            units += found.units
            rows += found.rows
    return Metrics(tuple(estimates), tuple(units), tuple(rows))


def roles_of(
    context: EffectContext, matrix: EffectMatrix, bootstrap: PairedBootstrap, squares: FloatArray | None
) -> list[UnitRole]:
    """What each patched component is, by how many factors its effects touch."""
    graph = context.spec.graph
    gathered = matrix.over_factors(markers_of(graph.edge_pairs, tuple(graph.factors)))
    output = None if squares is None else OutputChanges(squares, context.scale.output_sd)
    return classify_units(gathered, bootstrap, context.spec.alignment.tolerance, context.spec.alignment.alpha, output)


def share_of(
    context: EffectContext, owner: Owner, treatment: str, source: str, direction: str, roles: Sequence[UnitRole], n: int
) -> list[Estimate]:
    """The share of polysemantic components; none where no component moves anything."""
    share = polysemantic_share(roles)
    if share is None:
        return []
    value, lower, upper = share
    counts = {
        kind: sum(role.role == kind for role in roles) for kind in ("monosemantic", "undecided", "undeclared", "inert")
    }
    screened = any(screen.owner == owner for screen in context.plan.screens)
    ablation = Ablation(
        owner, treatment, NOTHING, "", source, context.spec.execution.seed, context.spec.estimation.confidence
    )
    return [
        ablation.estimate(
            "polysemantic_share", roles[0].over, "share", n, value, Ends(lower, upper), direction=direction,
            notes=(
                Note("polysemantic_share"), Note("roles", tuple(counts.values())),
                *((Note("screened"),) if screened else ()),
            ),
        )
    ]  # fmt: skip
