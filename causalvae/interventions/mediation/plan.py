"""Level 4 of a plan: the four arms of each mediation."""

from __future__ import annotations

from causalvae.interventions.mediation.plan_paths import route_patches, target_of_route
from causalvae.interventions.mediation.plan_subspace import plan_subspaces
from causalvae.interventions.mediation.route import Route, route_of
from causalvae.interventions.mediation.section import MediationIntervention
from causalvae.models.components import Component
from causalvae.plan.ablations import refuse_maps
from causalvae.plan.draft import Draft
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import joint_patches
from causalvae.plan.targets import set_of
from causalvae.plan.types import Patch, Role, Side
from causalvae.spec.markers import Choice
from causalvae.spec.value_source import source_of


def plan_mediation(draft: Draft, owner: Owner, section: MediationIntervention) -> None:
    """The mediators together, held where the section says so, and each alone where they are several; or the route."""
    cohort = draft.cohort(section.treatment)
    draft.use(owner, "base", cohort, "base", (), pairs=section.pairs)
    draft.use(owner, "counterfactual", cohort, "counterfactual", (), pairs=section.pairs)
    route, mediators = route_of(section), section.mediators or ()
    if route is not None:
        _plan_route(draft, owner, section, cohort, route)
        return
    together = draft.resolver.find(mediators, owner)
    if section.subspace is not None:
        plan_subspaces(draft, owner, section, cohort, together)
        return
    draft.both_directions(owner, cohort, together, "set", section.pairs, 0)
    sides: tuple[Side, ...] = ("base", "counterfactual")
    for index, side in enumerate(sides if section.control is not None else ()):
        held = _held_patches(together, section.held, draft.spec.execution.seed, owner)
        draft.use(
            owner,
            "controlled",
            cohort,
            side,
            held,
            pairs=section.pairs,
            component=set_of(together),
            granularity="set",
            index=index,
        )
    if len(mediators) > 1:
        for index, mediator in enumerate(mediators, start=1):
            draft.both_directions(owner, cohort, draft.resolver.find(mediator, owner), "set", section.pairs, index)


def _plan_route(draft: Draft, owner: Owner, section: MediationIntervention, cohort: str, route: Route) -> None:
    """The other input's change sent along the route, on each side."""
    patches = route_patches(route, draft.resolver, owner)
    target = target_of_route(route, draft.resolver, owner)
    directions: tuple[tuple[Role, Side], ...] = (("sufficiency", "base"), ("necessity", "counterfactual"))
    for role, side in directions:
        draft.use(owner, role, cohort, side, patches, pairs=section.pairs, component=target, granularity="path")


def _held_patches(found: tuple[Component, ...], held: Choice | None, seed: int, owner: Owner) -> tuple[Patch, ...]:
    """Patches that hold all of `found` at one value; none where nothing is held.

    Raises
    ------
    CausalVAEError
        CV303 where a quantile is asked of an image-shaped value other than the latent; CV305 for components that cannot
        be joined.
    """
    if held is None:
        return ()
    source = source_of(held, seed)
    for part in found:
        refuse_maps(source, part, "Hold it at `mean`, at `zero` or at a `value`.")
    return joint_patches(found, source, owner)
