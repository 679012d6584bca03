"""Effects of an activation sweep, and the kinds of its components."""

from __future__ import annotations

from causalvae.effects.context import EffectContext
from causalvae.effects.metrics import Metrics
from causalvae.effects.sweeps import analyse_sweep
from causalvae.effects.types import Estimate
from causalvae.interventions.activation.section import ActivationIntervention
from causalvae.plan.owner import Owner


def estimate_sweep(context: EffectContext, owner: Owner, section: ActivationIntervention) -> list[Estimate]:
    """Effect sizes of the listed components, in each direction; none where none was run."""
    sides = analyse_sweep(context, owner, section.source, section.value_kind)
    return [estimate for found in sides for estimate in found.estimates]


def measure_sweep(context: EffectContext, owner: Owner, section: ActivationIntervention) -> Metrics:
    """The kinds of the listed components in each direction, and the share of polysemantic ones among all."""
    sides = analyse_sweep(context, owner, section.source, section.value_kind)
    return Metrics(
        tuple(estimate for found in sides for estimate in found.share),
        tuple(unit for found in sides for unit in found.units),
    )
