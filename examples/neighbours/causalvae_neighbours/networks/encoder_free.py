"""No encoder: the latents of every sample are parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causalvae.spec.architecture_section import ArchitectureSection

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class EncoderFreeNetwork(ArchitectureSection):
    """No encoder: the latents of every sample are parameters."""

    kind: ClassVar[str] = "encoder_free"
    has_objective: ClassVar[bool] = True
    draws_weights: ClassVar[bool] = True

    architecture: Literal["encoder_free"]

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common
        from causalvae_neighbours.half_avae.encoder_free import encoder_free

        keys = common(described)
        return encoder_free(input_shape, keys["latent_dim"], described.get("samples"), keys["sigma"])
