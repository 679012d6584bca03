"""Mediators held at one value for both inputs, for the controlled direct effect."""

from __future__ import annotations

from typing import Literal

from causalvae.errors import CausalVAEError
from causalvae.models.components import Component
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import joint_patches
from causalvae.plan.types import Patch, Source
from causalvae.spec.schema import HeldValue


def held_patches(
    found: tuple[Component, ...], control: Literal["mean", "zero"] | HeldValue | None, owner: Owner
) -> tuple[Patch, ...]:
    """Patches that hold all of `found` at one value; none where nothing is held.

    Raises
    ------
    CausalVAEError
        CV303 where a quantile is asked of an image-shaped value other than the latent; CV305 for components that cannot
        be joined.
    """
    if control is None:
        return ()
    if not isinstance(control, HeldValue):
        return joint_patches(found, Source(control), owner)
    if control.value is not None:
        return joint_patches(found, Source("constant", control.value), owner)
    for part in found:
        if len(part.site.shape) > 1 and part.site.stage != "latent":
            raise CausalVAEError(
                "CV303",
                f"{part.site.name} is image-shaped; quantiles are defined for latents and vectors.",
                "Hold it at `mean`, at `zero` or at a `value`.",
                part.label,
            )
    return joint_patches(found, Source("quantile", control.quantile), owner)
