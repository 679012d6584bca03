"""Level 4 of a plan: the four arms of each mediation."""

from __future__ import annotations

from causalvae.plan.controlled import held_patches
from causalvae.plan.draft import Draft
from causalvae.plan.resolve import label_of
from causalvae.plan.types import Side
from causalvae.spec.schema import MediationIntervention


def plan_mediation(draft: Draft, owner: str, section: MediationIntervention) -> None:
    """The mediators together, held where the section says so, and each alone where they are several."""
    cohort = draft.cohort(section.treatment)
    draft.use(owner, "base", cohort, "base", (), pairs=section.pairs)
    draft.use(owner, "counterfactual", cohort, "counterfactual", (), pairs=section.pairs)
    together = draft.resolver.find(section.mediators, owner)
    draft.both_directions(owner, cohort, together, "set", section.pairs, 0)
    sides: tuple[Side, ...] = ("base", "counterfactual")
    for index, side in enumerate(sides if section.control is not None else ()):
        held = held_patches(together, section.control, owner)
        draft.use(
            owner,
            "controlled",
            cohort,
            side,
            held,
            pairs=section.pairs,
            component=label_of(together),
            granularity="set",
            index=index,
        )
    if len(section.mediators) > 1:
        for index, mediator in enumerate(section.mediators, start=1):
            draft.both_directions(owner, cohort, draft.resolver.find(mediator, owner), "set", section.pairs, index)
