"""Effects of an input intervention."""

from __future__ import annotations

from causalvae.effects.context import EffectContext
from causalvae.effects.outcomes import use_at
from causalvae.effects.strength import input_estimates
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner


def estimate_input(context: EffectContext, owner: Owner) -> list[Estimate]:
    """Total effect and effect size on every attribute and on the output."""
    base, counterfactual = (use_at(context.plan, owner, role).arm for role in ("base", "counterfactual"))
    bootstrap = context.bootstrap(context.outcomes.pairs((base, counterfactual)))
    ablation = context.ablation(owner, treatment=owner.name)
    return input_estimates(
        context.outcomes, base, counterfactual, bootstrap, ablation, context.scale, context.plan.attributes,
        context.as_drawn(owner.name),
    )  # fmt: skip
