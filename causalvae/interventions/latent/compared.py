"""At which layers the activation changes of latent perturbations are compared."""

from __future__ import annotations

from causalvae.errors import CausalVAEError
from causalvae.interventions.latent.section import LatentIntervention
from causalvae.models.components import ComponentMap
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver

_LAYERS = ("Linear", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d")
_BY_DEFAULT = 2


def compared_sites(section: LatentIntervention, resolver: Resolver, owner: Owner) -> tuple[str, ...]:
    """Names of the sites: those that the spec names, or the decoder's first two linear or convolution layers.

    Raises
    ------
    CausalVAEError
        CV530 where a named layer is not in the decoder; CV300 to CV302 for addresses.
    """
    if section.layers is None:
        return first_layers(resolver.components)
    found = resolver.find(section.layers, owner)
    for component in found:
        if component.site.stage != "decoder":
            raise CausalVAEError(
                "CV530",
                f"{component.site.name} is not a layer of the decoder, so setting a latent does not change it.",
                f"Name a layer of the decoder, such as {', '.join(first_layers(resolver.components)) or 'its first'}.",
                owner,
            )
    return tuple(dict.fromkeys(component.site.name for component in found))


def first_layers(components: ComponentMap) -> tuple[str, ...]:
    """The decoder's first two linear or convolution layers, as they are after the activation function, if any."""
    names = [
        site.name
        for site in components.sites
        if site.stage == "decoder" and site.kind in _LAYERS and not site.name.endswith("@pre")
    ]
    return tuple(names[:_BY_DEFAULT])
