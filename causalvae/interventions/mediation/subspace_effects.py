"""What learned directions carry: compared with the whole part, its other directions and random ones; on fresh pairs.

- unexplained share = sum |Y(interchange) - Y(x')|^2 / sum |Y(x') - Y(x)|^2, the loss that directions are learned by:
  ``learning_loss`` over the pairs that they were learned on, ``held_out_loss`` over the cohort's. An interchange gives
  the base run the part of another pair that has the treated factor's counterfactual value.
- ``interchange_accuracy`` (interchange intervention accuracy; Geiger, Lu, Icard & Potts 2021, arXiv 2106.02997): the
  share of the cohort's pairs in which the outcome under such an interchange is within a tolerance of Y(x').
- ``null_space_share``: how much of them is in directions that nothing downstream reads (Makelov, Lange & Nanda 2023,
  arXiv 2311.17030).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.context import EffectContext
from causalvae.effects.notes import HARDLY_MOVED, Note, Notes, dropped
from causalvae.effects.outcomes import IMAGE, difference, use_at
from causalvae.effects.significance import exact_interval
from causalvae.effects.types import Estimate
from causalvae.errors import CausalVAEError
from causalvae.interventions.mediation.plan_subspace import SUBSPACE
from causalvae.interventions.mediation.section import MediationIntervention
from causalvae.plan.learned import LearnedPart
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING
from causalvae.plan.types import Arm, Use

LEARNING_LOSS, HELD_OUT_LOSS = "learning_loss", "held_out_loss"
ACCURACY, NULL_SPACE = "interchange_accuracy", "null_space_share"

# Above these, a reader is warned: of the share in the null space, of what the other directions carry, and of how much
# more is left unexplained on fresh pairs than on those that were learned on.
_DORMANT, _ELSEWHERE, _OVERFITTED = 0.1, 0.1, 0.1
# Where the other directions lie among the mediation's parts.
_OTHERS = 2


@dataclass(frozen=True)
class _Interchanged:
    """A part whose value in the base runs is that of donors."""

    use: Use
    ablation: Ablation


def subspace_estimates(
    context: EffectContext, owner: Owner, section: MediationIntervention, arms: Mapping[str, Arm]
) -> list[Estimate]:
    """How directions were learned and what interchanges through them do; none where the mediation learns none.

    Parameters
    ----------
    context : EffectContext
    owner : Owner
        The intervention.
    section : MediationIntervention
    arms : mapping of str to Arm
        Of the plan, by their ids.

    Raises
    ------
    CausalVAEError
        CV521 where the measurements do not hold what was learned.
    """
    if section.subspace is None:
        return []
    learned = _learned_row(context, owner, arms)
    own = () if learned.donors else (Note("own_donors"),)
    parts = []
    for use in sorted(context.plan.uses_of(owner, "variant"), key=lambda use: use.index):
        source = arms[use.arm].patches[0].source.label
        parts.append(_Interchanged(use, context.ablation(owner, use, treatment=section.treatment, source=source)))
    first = parts[0].ablation
    search = Note("search", (str(learned.start), float(learned.first_loss), int(learned.pairs)))
    estimates = [
        first.estimate(
            LEARNING_LOSS, context.scale.label(learned.objective), "share", int(learned.pairs), learned.loss,
            direction="denoising", notes=(search, *own),
        )
    ]  # fmt: skip
    estimates += [_held_out(context, owner, part, learned.objective, own) for part in parts]
    for outcome in section.outcomes:
        estimates += _accuracies(context, owner, parts, outcome, section.subspace.tolerance, own)
    units = len(learned.units)
    chance = (Note("chance", (learned.null_space_dim / units,)),) if learned.null_space_dim else ()
    described = replace(first, source="")
    estimates.append(
        described.estimate(
            NULL_SPACE, context.scale.whole.name, "share", int(learned.pairs), learned.null_space_share,
            notes=(Note("null_space", (str(learned.null_space_how),)), *chance),
        )
    )  # fmt: skip
    return estimates


def subspace_warnings(estimates: list[Estimate]) -> list[str]:
    """What a reader must know before trusting learned directions.

    Parameters
    ----------
    estimates : list of Estimate
        Of one mediation through learned directions, all of them.
    """
    found = []
    mine = [estimate for estimate in estimates if estimate.granularity == SUBSPACE]
    dormant = next((e for e in mine if e.estimand == NULL_SPACE and e.value > _DORMANT), None)
    if dormant is not None:
        how, *chance = (note.values[0] for note in dormant.notes)
        beside = f"{how}; of random directions {chance[0]:.3g} on average" if chance else how
        found.append(
            f"{dormant.value:.0%} of {dormant.component} ({dormant.owner}) is in directions that nothing downstream "
            f"reads ({beside}): the patch may act through directions that are otherwise unused, so an effect does not "
            f"show that these directions carry {dormant.treatment} on the network's own inputs."
        )
    parts = list(dict.fromkeys(e.component for e in mine if e.estimand == "natural_indirect_effect"))
    others = parts[_OTHERS] if len(parts) > _OTHERS else NOTHING
    elsewhere = [
        f"{e.value:.0%} of the effect on {e.outcome} [{e.lower:.0%}, {e.upper:.0%}]"
        for e in mine
        if e.estimand == "mediated_share" and e.component == others and HARDLY_MOVED not in e.notes
        if e.lower is not None and e.lower > _ELSEWHERE
    ]
    if elsewhere:
        found.append(
            f"{others} ({mine[0].owner}) carry {' and '.join(elsewhere)} as well: it does not go through the learned "
            "directions alone."
        )
    learned = next((e for e in mine if e.estimand == LEARNING_LOSS), None)
    fresh = next((e for e in mine if e.estimand == HELD_OUT_LOSS), None)
    if learned is not None and fresh is not None and (fresh.lower or 0.0) > learned.value + _OVERFITTED:
        found.append(
            f"{learned.component} ({learned.owner}) fit the pairs that they were learned on: interchanges leave "
            f"{learned.value:.0%} of the effect on {learned.outcome} unexplained there and {fresh.value:.0%} on fresh "
            "ones. Learn on more pairs (`learned_on`), or fewer directions."
        )
    return found


def _learned_row(context: EffectContext, owner: Owner, arms: Mapping[str, Arm]) -> Any:
    """What was learned for a mediation: a row of `Measurements.subspaces`."""
    arm = arms[use_at(context.plan, owner, "sufficiency").arm]
    wanted = LearnedPart(arm.cohort, arm.patches[0]).id
    for row in context.measurements.subspaces.itertuples():
        if row.id == wanted:
            return row
    raise CausalVAEError(
        "CV521",
        "the directions of a learned subspace are not among the measurements.",
        "Delete the run folder and run again.",
        owner,
    )


def _held_out(context: EffectContext, owner: Owner, part: _Interchanged, objective: str, notes: Notes) -> Estimate:
    """The unexplained share over the cohort's pairs."""
    outcomes = context.outcomes
    base, counterfactual = (use_at(context.plan, owner, role).arm for role in ("base", "counterfactual"))
    n = outcomes.pairs((base, counterfactual, part.use.arm))
    if objective == IMAGE:
        total = outcomes.values(counterfactual, "image_sq", n)
        # |y - y'|^2 with both taken from the base output; rounding must not make it negative.
        away = outcomes.values(part.use.arm, "image_sq", n) - 2 * outcomes.values(part.use.arm, "image_dot", n) + total
        left, whole = np.maximum(away, 0.0), total
    else:
        period = context.scale.periods.get(objective)
        target = outcomes.values(counterfactual, objective, n)
        left = difference(outcomes.values(part.use.arm, objective, n), target, period) ** 2
        whole = difference(target, outcomes.values(base, objective, n), period) ** 2
    known = np.isfinite(left) & np.isfinite(whole)
    count = int(known.sum())
    ratio = context.bootstrap(count).ratio(left[known][None], whole[known][None])
    return part.ablation.estimate(
        HELD_OUT_LOSS, context.scale.label(objective), "share", count, ratio.value[0], ratio.ends(0),
        direction="denoising", notes=(*dropped(n - count), *notes),
    )  # fmt: skip


def _accuracies(
    context: EffectContext, owner: Owner, parts: list[_Interchanged], outcome: str, tolerance: float, notes: Notes
) -> list[Estimate]:
    """The share of pairs whose outcome is right under interchanges; none of an outcome that has no standard deviation.

    A vector is right where each of its components is.
    """
    vector = context.scale.vectors.get(outcome)
    names = (outcome,) if vector is None else vector.components
    if not all(name in context.scale.sd for name in names):
        return []
    base, counterfactual = (use_at(context.plan, owner, role).arm for role in ("base", "counterfactual"))
    unpatched, _ = _right(context, base, counterfactual, names, tolerance)
    within = Note("within" if vector is None else "within_every", (tolerance,))
    without = (Note("unpatched", (float(unpatched.mean()),)),) if len(unpatched) else ()
    estimates = []
    for part in parts:
        right, left_out = _right(context, part.use.arm, counterfactual, names, tolerance)
        context.bootstrap(len(right))
        interval = exact_interval(int(right.sum()), len(right), context.spec.estimation.confidence)
        estimates.append(
            part.ablation.estimate(
                ACCURACY, outcome, "share", len(right), float(right.mean()), interval, direction="denoising",
                notes=(within, *without, *dropped(left_out), *notes),
            )
        )  # fmt: skip
    return estimates


def _right(
    context: EffectContext, arm: str, counterfactual: str, names: tuple[str, ...], tolerance: float
) -> tuple[FloatArray, int]:
    """Of each pair 1.0 where every attribute is as near its counterfactual value as may be, and how many are undefined.

    Pairs in which one is undefined are omitted.
    """
    n = context.outcomes.pairs((arm, counterfactual))
    away = np.stack(
        [
            difference(
                context.outcomes.values(arm, name, n),
                context.outcomes.values(counterfactual, name, n),
                context.scale.periods.get(name),
            )
            / context.scale.sd[name]
            for name in names
        ]
    )
    known = np.isfinite(away).all(axis=0)
    right: FloatArray = np.asarray((np.abs(away[:, known]) <= tolerance).all(axis=0), np.float64)
    return right, int(n - known.sum())
