"""A decoder that gives each bit of a row from the latent and the bits before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causalvae.spec.architecture_section import ArchitectureSection

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class AutoregressiveNetwork(ArchitectureSection):
    """A decoder that gives each bit of a row from the latent and the bits before."""

    kind: ClassVar[str] = "autoregressive"

    architecture: Literal["autoregressive"]

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common
        from causalvae_neighbours.quantum.autoregressive import autoregressive

        keys = common(described)
        return autoregressive(input_shape, keys["latent_dim"], likelihood=keys["likelihood"])
