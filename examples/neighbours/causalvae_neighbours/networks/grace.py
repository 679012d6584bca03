"""The graph-aware VAE with a causal layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.architecture_section import ArchitectureSection

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class GraceNetwork(ArchitectureSection):
    """The graph-aware VAE with a causal layer."""

    kind: ClassVar[str] = "grace"
    has_objective: ClassVar[bool] = True
    draws_weights: ClassVar[bool] = True

    architecture: Literal["grace"]
    mechanism: Literal["linear", "relu", "tanh"] | None = Field(
        default=None, description="What a latent passes on to its children; relu where left out."
    )
    graph: Literal["known", "shuffled", "none"] | None = Field(
        default=None,
        description="The gene network that the encoder passes messages along: the data's where left out, the data's "
        "with its genes permuted, or none.",
    )

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae_neighbours.grace.network import build_grace

        return build_grace(described, input_shape)
