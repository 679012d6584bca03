"""Effects of an activation sweep, and the kinds of its components."""

from __future__ import annotations

from causalvae.effects.context import EffectContext
from causalvae.effects.effect_matrix import sweep_matrix
from causalvae.effects.metrics import Metrics, roles_of, share_of
from causalvae.effects.outcomes import output_squares, use_at
from causalvae.effects.screening import direction_of
from causalvae.effects.strength import PatchedArm, sweep_estimates
from causalvae.effects.types import Estimate, UnitRole
from causalvae.interventions.activation.section import ActivationIntervention
from causalvae.plan.owner import Owner
from causalvae.plan.types import OUTPUT, Side

_SIDES: tuple[Side, ...] = ("base", "counterfactual")


def estimate_sweep(context: EffectContext, owner: Owner, section: ActivationIntervention) -> list[Estimate]:
    """Effect sizes of each component that was run, in each direction; none where none was."""
    arms = {arm.id: arm for arm in context.plan.arms}
    uses = [use for use in context.plan.uses_of(owner, "sweep") if use.arm not in context.left_out]
    if not uses:
        return []
    base, counterfactual = (use_at(context.plan, owner, role).arm for role in ("base", "counterfactual"))
    ablation = context.ablation(owner, treatment=section.source)
    estimates = []
    for side in _SIDES:
        direction = direction_of(side, section.value_kind)
        patched = [PatchedArm.of(use, arms) for use in uses if arms[use.arm].side == side]
        if not patched:
            continue
        bootstrap = context.bootstrap(context.outcomes.pairs([base, counterfactual, *(arm.arm for arm in patched)]))
        estimates.extend(
            sweep_estimates(
                context.outcomes, base, counterfactual, patched, direction, bootstrap, ablation, context.scale,
                context.plan.attributes,
            )
        )  # fmt: skip
    return estimates


def measure_sweep(context: EffectContext, owner: Owner, section: ActivationIntervention) -> Metrics:
    """The kinds of the components in each direction, and the share of polysemantic ones."""
    units: list[UnitRole] = []
    estimates: list[Estimate] = []
    for side in _SIDES:
        roles, share = _measure_side(context, owner, section, side)
        units += roles
        estimates += share
    return Metrics(tuple(estimates), tuple(units))


def _measure_side(
    context: EffectContext, owner: Owner, section: ActivationIntervention, side: Side
) -> tuple[list[UnitRole], list[Estimate]]:
    """The kinds of the units of one side of an activation sweep, and the share of polysemantic ones."""
    arms = {arm.id: arm for arm in context.plan.arms}
    uses = [
        use
        for use in context.plan.uses_of(owner, "sweep")
        if use.arm not in context.left_out and arms[use.arm].side == side
    ]
    if not uses:
        return [], []
    clean = use_at(context.plan, owner, side).arm
    patched = [PatchedArm.of(use, arms) for use in uses]
    n = context.outcomes.pairs([clean, *(arm.arm for arm in patched)])
    direction = direction_of(side, section.value_kind)
    bootstrap = context.bootstrap(n)
    matrix = sweep_matrix(
        context.outcomes, clean, patched, owner, section.source, direction, context.scale, context.plan.attributes, n
    )  # fmt: skip
    squares = None
    if OUTPUT in context.plan.outputs:
        start = clean if side == "counterfactual" else None
        squares = output_squares(context.outcomes, [arm.arm for arm in patched], start, n)
    roles = roles_of(context, matrix, bootstrap, squares)
    return roles, share_of(context, owner, section.source, patched[0].source, direction, roles, n)
