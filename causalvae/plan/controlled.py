"""Mediators held at one value for both inputs, for the controlled direct effect."""

from __future__ import annotations

from causalvae.models.components import Component
from causalvae.plan.ablations import refuse_maps
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import joint_patches
from causalvae.plan.types import Patch
from causalvae.spec.markers import Choice
from causalvae.spec.value_source import source_of


def held_patches(found: tuple[Component, ...], held: Choice | None, seed: int, owner: Owner) -> tuple[Patch, ...]:
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
