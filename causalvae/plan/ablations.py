"""What patches of some sources need: a mark of what is patched together, and places where codes are taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.models.components import CODE_SITE, Component
from causalvae.plan.types import Patch
from causalvae.spec.value_source import ValueSource


def told_apart(patches: tuple[Patch, ...]) -> tuple[Patch, ...]:
    """The same patches, their sources marked by what is patched together: a constant is fitted for that alone."""
    together = digest([(patch.site, patch.units, patch.window) for patch in patches])
    return tuple(replace(patch, source=replace(patch.source, joint=together)) for patch in patches)


def refuse_maps(source: ValueSource, part: Component, advice: str) -> None:
    """Raise CV303 where each position of an image-shaped value would have a value of its own."""
    if source.per_unit and len(part.site.shape) > 1 and part.site.stage != "latent":
        raise CausalVAEError(
            "CV303",
            f"{part.site.name} is image-shaped; quantiles and sd are defined for latents and vectors.",
            advice,
            part.label,
        )


def code_components(found: Iterable[Component]) -> list[Component]:
    """Components whose codes can be replaced: all codes of some positions.

    Raises
    ------
    CausalVAEError
        CV316 where a component is not where codes are taken, or names single codes.
    """
    parts = list(found)
    for part in parts:
        if part.site.name != CODE_SITE or (part.units is not None and len(part.units) < part.site.units):
            raise CausalVAEError(
                "CV316",
                f"{part.label} does not hold codes of a codebook.",
                f"Name {CODE_SITE} or some of its positions, such as {CODE_SITE}[:, 0:2] of a sequence and "
                f"{CODE_SITE}[:, 0:2, 0:2] of an image. A network has it if each position becomes the nearest entry of "
                "a codebook; `causalvae components SPEC` lists it then.",
                part.label,
            )
    return parts
