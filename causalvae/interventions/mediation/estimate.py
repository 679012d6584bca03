"""All effects of one mediation: of each outcome, through the mediators together and through each alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from causalvae.effects.ablation import Ablation
from causalvae.effects.context import EffectContext, reached_from, treated_factor
from causalvae.effects.cross_checks import Case, CrossChecks, cross_check
from causalvae.effects.mediation import (
    PairEffects,
    arms_of,
    mediation_estimates,
    overlap,
    pair_effects,
    remainder_estimate,
    serial,
)
from causalvae.effects.notes import OVERLAP, Notes
from causalvae.effects.outcomes import IMAGE, cancelling, is_moved, use_at
from causalvae.effects.types import Estimate
from causalvae.effects.vector_means import vector_estimates
from causalvae.interventions.mediation.controlled import controlled_effects, controlled_estimate
from causalvae.interventions.mediation.path_terms import in_path_terms, with_relayed_source
from causalvae.interventions.mediation.section import MediationIntervention
from causalvae.interventions.mediation.subspace_effects import subspace_estimates, subspace_warnings
from causalvae.plan.owner import Owner
from causalvae.plan.types import OUTPUT, Arm


def estimate_mediation(
    context: EffectContext, owner: Owner, section: MediationIntervention, checks: CrossChecks
) -> list[Estimate]:
    """Every effect of a mediation.

    Parameters
    ----------
    context : EffectContext
    owner : Owner
        The intervention.
    section : MediationIntervention
    checks : CrossChecks
        Takes what the other ways of computing the same effects find.

    Raises
    ------
    CausalVAEError
        CV501 where measurements are missing, CV502 where the plan lacks an arm, CV503 with fewer than two pairs, CV520
        where too few are left with the mediators held, CV521 where learned directions are missing.
    """
    arms_by_id = {arm.id: arm for arm in context.plan.arms}
    estimates: list[Estimate] = []
    descendants = reached_from(context.spec, treated_factor(context.spec, section.treatment))
    uses = sorted(context.plan.uses_of(owner, "sufficiency"), key=lambda use: use.index)
    # The parts of a mediation through learned directions are not mediators of one set.
    each = [arms_by_id[use.arm] for use in uses if use.index > 0 and section.subspace is None]
    overlapping, as_drawn = overlap(each), context.as_drawn(section.treatment)
    with_image = OUTPUT in context.plan.outputs and IMAGE not in section.outcomes
    outcomes = [*section.outcomes, *((IMAGE,) if with_image else ())]
    for outcome in outcomes:
        unit, period, sd = context.scale.unit(outcome), context.scale.periods.get(outcome), context.scale.sd_of(outcome)
        vector = context.scale.vectors.get(outcome)
        alone: list[PairEffects] = []
        joint: PairEffects | None = None
        for use in uses:
            arms = arms_of(context.plan, owner, use.index)
            effects = replace(
                pair_effects(context.outcomes, arms, outcome, period, vector), outcome=context.scale.label(outcome)
            )
            ablation = context.ablation(owner, use, treatment=section.treatment, source="interchange")
            bootstrap = context.bootstrap(effects.n)
            is_joint = use.index == 0
            cancels = cancelling(effects.total, as_drawn)
            estimates.extend(
                mediation_estimates(
                    effects, bootstrap, ablation, unit, with_total=is_joint, sd=sd,
                    declared=outcome in section.outcomes, mean_notes=cancels,
                    indirect_notes=(OVERLAP,) if is_joint and overlapping else (),
                )
            )  # fmt: skip
            moved = is_moved(effects.total**2, sd, effects.rounding)
            estimates.extend(vector_estimates(effects, bootstrap, ablation, unit, with_shares=moved, as_drawn=as_drawn))
            if not is_joint:
                alone += [effects] if section.subspace is None else []
                continue
            joint, joint_ablation = effects, ablation
            estimates.extend(_controlled(context, owner, arms_by_id, ablation, outcome, cancels))
            if outcome != IMAGE:
                case = Case(effects, arms, ablation, unit, period, cancels, vector)
                estimates.extend(
                    cross_check(context.spec, context.measurements, context.outcomes, case, descendants, checks)
                )
        comparable = joint is not None and alone and all(effects.is_on_the_pairs_of(joint) for effects in alone)
        if joint is not None and comparable and not overlapping:
            notes = (*serial(each), *cancelling(joint.total, as_drawn))
            estimates.append(remainder_estimate(joint, alone, context.bootstrap(joint.n), joint_ablation, unit, notes))
    estimates += subspace_estimates(context, owner, section, arms_by_id)
    checks.remarks += subspace_warnings(estimates)
    if not section.is_routed:
        return estimates
    checks.checks, checks.refutations = in_path_terms(checks.checks, owner), in_path_terms(checks.refutations, owner)
    return with_relayed_source(in_path_terms(estimates, owner))


def _controlled(
    context: EffectContext, owner: Owner, arms: Mapping[str, Arm], ablation: Ablation, outcome: str, notes: Notes
) -> list[Estimate]:
    """The controlled direct effect, where the mediation asks for it."""
    if not context.plan.uses_of(owner, "controlled"):
        return []
    held = use_at(context.plan, owner, "controlled", 0).arm, use_at(context.plan, owner, "controlled", 1).arm
    base, counterfactual = (use_at(context.plan, owner, role).arm for role in ("base", "counterfactual"))
    changes = context.changes(base, counterfactual, outcome)
    effects = controlled_effects(changes, held, context.outcomes.pairs((*held, base, counterfactual)))
    source = arms[held[0]].patches[0].source
    return [
        controlled_estimate(
            effects, source, replace(ablation, source=source.kind), context.scale.label(outcome),
            context.scale.unit(outcome), context.spec.estimation.bootstrap, notes, changes.along,
            context.spec.estimation.bca,
        )
    ]  # fmt: skip
