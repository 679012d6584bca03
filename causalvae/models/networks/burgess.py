"""The convolutional network of Burgess et al. 2018, for square pictures of 32 or 64 pixels a side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causalvae.spec.architecture_section import ArchitectureSection

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class BurgessNetwork(ArchitectureSection):
    """The convolutional network of Burgess et al. 2018, for square pictures of 32 or 64 pixels a side."""

    kind: ClassVar[str] = "burgess"
    head: ClassVar[str] = "encoder.mu_logvar_gen.bias"

    architecture: Literal["burgess"]

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common, square_burgess

        return square_burgess(input_shape, **common(described))
