"""The named metrics of a run: strength, specificity, modularity, kinds of units, each next to its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import Ends
from causalvae.effects.context import EffectContext
from causalvae.effects.effect_matrix import EffectMatrix, markers_of
from causalvae.effects.metric_rows import MetricFacts
from causalvae.effects.notes import Note
from causalvae.effects.sweep_types import ROLE_NAMES, UnitColumns, UnitTally
from causalvae.effects.types import Estimate, MetricRow, Role, UnitRole
from causalvae.effects.units import OutputChanges, unit_columns
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
        The same perturbations on a copy of the network with weights drawn again.
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


def roles_of(context: EffectContext, matrix: EffectMatrix, squares: FloatArray | None) -> UnitColumns | None:
    """What each patched component is, by how many factors its effects touch.

    Parameters
    ----------
    context : EffectContext
    matrix : EffectMatrix
    squares : float array, shape (components, n), or None
        Squared changes of the whole output.
    """
    graph, alignment = context.spec.graph, context.spec.alignment
    gathered = matrix.over_factors(markers_of(graph.edge_pairs, tuple(graph.factors)))
    output = None if squares is None else OutputChanges(squares, context.scale.output_sd)
    return unit_columns(gathered, context.bootstrap(matrix.n), alignment.tolerance, alignment.alpha, output)


def share_of(
    context: EffectContext, owner: Owner, treatment: str, source: str, direction: str, tallies: Sequence[UnitTally],
    over: str, n: int,
) -> tuple[Estimate, ...]:  # fmt: skip
    """The share of polysemantic components; none where no component moves anything that is declared."""
    counts: dict[Role, int] = dict.fromkeys(ROLE_NAMES, 0)
    for tally in tallies:
        counts[tally.role] += tally.units
    sure, undecided = counts["polysemantic"], counts["undecided"]
    active = sure + undecided + counts["monosemantic"]
    if not active:
        return ()
    screened = any(screen.owner == owner for screen in context.plan.screens)
    ablation = Ablation(
        owner, treatment, NOTHING, "", source, context.spec.execution.seed, context.spec.estimation.confidence
    )
    return (
        ablation.estimate(
            "polysemantic_share", over, "share", n, sure / active, Ends(sure / active, (sure + undecided) / active),
            direction=direction,
            notes=(
                Note("polysemantic_share"), Note("roles", tuple(counts[role] for role in ROLE_NAMES[1:])),
                *((Note("screened"),) if screened else ()),
            ),
        ),
    )  # fmt: skip
