"""Level 3 of a plan: activations patched one component at a time, or as a set."""

from __future__ import annotations

import math

from causalvae.interventions.activation.section import ActivationIntervention
from causalvae.plan.ablations import told_apart
from causalvae.plan.draft import Draft
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import joint_patches, patch_of, single_components
from causalvae.plan.targets import set_of
from causalvae.plan.treatments import unknown_factor
from causalvae.plan.types import Screen, Side
from causalvae.spec.value_source import ValueSource, source_of

# Of integrated gradients, where the spec does not say.
_STEPS = 8


def plan_sweep(draft: Draft, owner: Owner, section: ActivationIntervention) -> None:
    """An arm for each component and direction, and the screens among them."""
    cohort = draft.cohort(section.source)
    draft.clean_pair(owner, cohort)
    found = draft.resolver.find(section.components, owner)
    source = _ablation(draft, owner, section)
    if section.by == "set":
        sets = [(set_of(found), joint_patches(found, source, owner))]
    else:
        parts = [part for component in found for part in single_components(component, section.by)]
        sets = [(set_of([part]), (patch_of(part, source),)) for part in parts]
    if source.is_searched:
        sets = [(target, told_apart(patches)) for target, patches in sets]
    sides: dict[str, tuple[Side, ...]] = {
        "denoising": ("base",),
        "noising": ("counterfactual",),
        "both": ("base", "counterfactual"),
    }
    if section.screen is not None:
        chosen = sides[section.direction]
        draft.screens += [_make_screen(owner, side, section, len(sets), draft.spec.execution.seed) for side in chosen]
    index = 0
    for side in sides[section.direction]:
        for target, patches in sets:
            draft.use(
                owner,
                "sweep",
                cohort,
                side,
                patches,
                pairs=section.pairs,
                component=target,
                granularity=section.by,
                index=index,
            )
            index += 1


def _ablation(draft: Draft, owner: Owner, section: ActivationIntervention) -> ValueSource:
    """Where the values of a sweep come from."""
    source = source_of(section.mode, draft.spec.execution.seed)
    if source.given is not None and source.given not in draft.space.names:
        raise unknown_factor(source.given, draft.space, owner)
    return source


def _make_screen(owner: Owner, side: Side, section: ActivationIntervention, candidates: int, seed: int) -> Screen:
    """The screen of one side of a sweep over `candidates` components.

    Raises
    ------
    ValueError
        Where the section has no screen.
    """
    screen = section.screen
    if screen is None:
        raise ValueError(f"{owner} has no screen")
    # The slack is for shares such as 0.1 in binary: a tenth of 30 components is 3 of them.
    kept = min(candidates, max(1, math.ceil(screen.keep * candidates - 1e-9)))
    return Screen(
        owner,
        side,
        screen.outcome,
        screen.method,
        (screen.steps or _STEPS) if screen.method == "integrated_gradients" else 1,
        kept,
        min(screen.check, candidates - kept),
        seed,
    )
