"""Effects of a latent perturbation."""

from __future__ import annotations

from dataclasses import replace

from causalvae.effects.context import EffectContext
from causalvae.effects.outcomes import use_at
from causalvae.effects.strength import perturbation_estimates
from causalvae.effects.sweep_types import PatchedArm
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.spec.value_source import values_label


def estimate_perturbation(context: EffectContext, owner: Owner) -> list[Estimate]:
    """Effect sizes, strength and specificity of each latent and value; none where the plan has none of the arms."""
    arms = {arm.id: arm for arm in context.plan.arms}
    uses = context.plan.uses_of(owner, "perturbation")
    if not uses:
        return []
    base = use_at(context.plan, owner, "base").arm
    label = values_label(arms[use.arm].patches[0].source for use in uses)
    patched = [replace(PatchedArm.of(use, arms), source=label) for use in uses]
    bootstrap = context.bootstrap(context.outcomes.pairs([base, *(arm.arm for arm in patched)]))
    return perturbation_estimates(
        context.outcomes, base, patched, bootstrap, context.ablation(owner), context.scale, context.plan.attributes
    )
