"""A mediation through learned directions: the arms that say what they carry, and what they do not."""

from __future__ import annotations

from dataclasses import replace

from causalvae.errors import CausalVAEError
from causalvae.interventions.mediation.section import MediationIntervention, SubspaceSection
from causalvae.models.components import Component
from causalvae.plan.draft import INTERCHANGE, Draft
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import joint_patches, label_of
from causalvae.plan.targets import SubspacePart, set_of
from causalvae.plan.types import Learning, Patch, Role, Side, Subspace
from causalvae.spec.value_source import make_source

SUBSPACE = "subspace"


def plan_subspaces(
    draft: Draft, owner: Owner, section: MediationIntervention, cohort: str, found: tuple[Component, ...]
) -> None:
    """The arms of a mediation through a learned subspace.

    Sufficiency and necessity, at the indices 0 to 3, of the learned directions, of the whole part, of its other
    directions and of as many random ones; and, as ``variant`` at 0 to 2, the base runs in which the learned, the whole
    and the random part is that of a donor: another pair that has the treated factor's counterfactual value, or the
    pair's own other side where the treatment sets no factor.

    Raises
    ------
    CausalVAEError
        CV319 where the mediators lie at several sites, CV320 where there are not fewer directions than units.
    """
    subspace = section.subspace
    if subspace is None:
        raise ValueError(f"{owner} learns no subspace")
    patch = _part(found, owner)
    units = found[0].site.units if patch.units is None else len(patch.units)
    if subspace.dim >= units:
        raise CausalVAEError(
            "CV320",
            f"{label_of(found)} has {units} unit{'s' if units > 1 else ''}, so {subspace.dim} directions are the whole "
            "of it.",
            f"Write `dim` below {units}, or delete `subspace`." if units > 1 else "Delete `subspace`.",
            owner,
        )
    treatment = draft.cohorts[cohort].treatment
    factor = None if treatment is None else treatment.factor
    learned = _learning(draft, subspace, factor)
    whole, directions = set_of(found), Subspace(subspace.dim, learned.seed, learned)
    parts = (
        (SubspacePart(whole, "learned", subspace.dim), directions),
        (SubspacePart(whole, "all", units), None),
        (SubspacePart(whole, "other", units - subspace.dim), replace(directions, complement=True)),
        (SubspacePart(whole, "random", subspace.dim), Subspace(subspace.dim, learned.seed)),
    )
    ways: tuple[tuple[Role, Side], ...] = (("sufficiency", "base"), ("necessity", "counterfactual"))
    for index, (target, through) in enumerate(parts):
        for role, side in ways:
            _use(draft, owner, role, cohort, side, replace(patch, subspace=through), section, target, index)
    donor = INTERCHANGE if factor is None else make_source("interchange", seed=learned.seed, given=factor)
    for index, (target, through) in enumerate((parts[0], parts[1], parts[3])):
        swapped = replace(patch, source=donor, subspace=through)
        _use(draft, owner, "variant", cohort, "base", swapped, section, target, index)


def _use(
    draft: Draft,
    owner: Owner,
    role: Role,
    cohort: str,
    side: Side,
    patch: Patch,
    section: MediationIntervention,
    target: SubspacePart,
    index: int,
) -> None:
    draft.use(
        owner, role, cohort, side, (patch,), pairs=section.pairs, component=target, granularity=SUBSPACE, index=index
    )  # fmt: skip


def _part(found: tuple[Component, ...], owner: Owner) -> Patch:
    patches = joint_patches(found, INTERCHANGE, owner)
    if len(patches) > 1:
        raise CausalVAEError(
            "CV319",
            f"directions are learned among the units of one site, and the mediators lie at {len(patches)}: "
            f"{', '.join(patch.site for patch in patches)}.",
            "Name mediators of one site, or write a mediation for each.",
            owner,
        )
    return patches[0]


def _learning(draft: Draft, section: SubspaceSection, factor: str | None) -> Learning:
    attribute = draft.spec.graph.attributes.get(section.objective)
    return Learning(
        section.objective,
        section.learned_on,
        section.steps,
        section.restarts,
        draft.spec.execution.seed,
        factor,
        None if attribute is None else attribute.period,
    )
