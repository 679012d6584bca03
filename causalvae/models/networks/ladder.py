"""A variational ladder: groups of latents enter the decoder at different depths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from causalvae.spec.architecture_section import ArchitectureSection
from causalvae.spec.section import Count

if TYPE_CHECKING:
    from causalvae.models.vae import VAE

LEVELS: Final = 3


class LadderNetwork(ArchitectureSection):
    """A variational ladder: groups of latents enter the decoder at different depths."""

    kind: ClassVar[str] = "ladder"

    architecture: Literal["ladder"]
    levels: Count | None = Field(
        default=None, description="Groups of latents, latent.g1 nearest to the input; by default 3."
    )

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common
        from causalvae.models.variants.ladder import ladder

        return ladder(input_shape, levels=described.get("levels") or LEVELS, **common(described))
