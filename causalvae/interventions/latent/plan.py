"""Level 2 of a plan: latents set to values."""

from __future__ import annotations

from causalvae.interventions.latent.compared import compared_sites
from causalvae.interventions.latent.section import LatentIntervention, LatentValues
from causalvae.plan.ablations import code_components, refuse_maps
from causalvae.plan.draft import Draft
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import patch_of, single_components
from causalvae.plan.targets import set_of
from causalvae.plan.types import OBSERVED
from causalvae.spec.value_source import source_of


def plan_perturbation(draft: Draft, owner: Owner, section: LatentIntervention) -> None:
    """An arm for each latent and value, on the observed cohort."""
    pairs = section.pairs or draft.spec.data.samples
    draft.compared[owner.name] = compared_sites(section, draft.resolver, owner)
    draft.use(owner, "base", OBSERVED, "base", (), pairs=pairs)
    found = draft.resolver.find(section.components, owner)
    if isinstance(section.values, LatentValues) and section.values.codes is not None:
        parts = code_components(found)
    else:
        parts = [part for component in found for part in single_components(component, "channel")]
    index = 0
    for part in parts:
        for choice in section.choices:
            source = source_of(choice, draft.spec.execution.seed)
            # Of a map, each position has quantiles and a standard deviation of its own.
            refuse_maps(source, part, "Use `values: {at: [...]}`, `values: resample` or `values: zero`.")
            draft.use(
                owner,
                "perturbation",
                OBSERVED,
                "base",
                (patch_of(part, source),),
                pairs=pairs,
                component=set_of([part]),
                granularity="unit",
                index=index,
            )
            index += 1
