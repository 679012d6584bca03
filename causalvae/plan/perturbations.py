"""Level 2 of a plan: latents set to values."""

from __future__ import annotations

from causalvae.errors import CausalVAEError
from causalvae.models.components import Component
from causalvae.plan.ablations import code_components, code_source
from causalvae.plan.compared import compared_sites
from causalvae.plan.draft import Draft
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import patch_of, single_components
from causalvae.plan.targets import set_of
from causalvae.plan.types import OBSERVED, Source
from causalvae.spec.schema import LatentIntervention, LatentValues


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
        for source in _latent_sources(draft, section, part):
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


def _latent_sources(draft: Draft, section: LatentIntervention, part: Component) -> list[Source]:
    values = section.values
    if values == "zero":
        return [Source("zero")]
    if values == "resample":
        return [Source("resample", seed=draft.spec.execution.seed)]
    if not isinstance(values, LatentValues):
        raise TypeError(values)
    if values.codes is not None:
        return [code_source(values.codes, draft.spec.execution.seed)]
    if values.at is not None:
        return [Source("constant", value) for value in values.at]
    # Of a latent that is a map, each position has quantiles and a standard deviation of its own.
    if len(part.site.shape) > 1 and part.site.stage != "latent":
        raise CausalVAEError(
            "CV303",
            f"{part.site.name} is image-shaped; quantiles and sd are defined for latents and vectors.",
            "Use `values: {at: [...]}`, `values: resample` or `values: zero`.",
            part.label,
        )
    if values.quantiles is not None:
        return [Source("quantile", value) for value in values.quantiles]
    return [Source("sd", value) for value in values.sd or ()]
