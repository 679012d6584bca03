"""A residual convolutional network, for pictures whose sides are 4 times the same power of two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causalvae.spec.architecture_section import ArchitectureSection, Rows

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class ResidualNetwork(ArchitectureSection):
    """A residual convolutional network, for pictures whose sides are 4 times the same power of two."""

    kind: ClassVar[str] = "residual"
    head: ClassVar[str] = "encoder.head.bias"
    sizes: ClassVar[tuple[str, ...]] = ("width",)

    architecture: Literal["residual"]

    @classmethod
    def found_sizes(cls, rows: Rows) -> dict[str, tuple[Any, str]]:
        """Channels of the first level."""
        return {"width": (rows("encoder.downs.0.weight"), "encoder.downs.0.weight")}

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common, residual

        width = described.get("width")
        return residual(input_shape, **({} if width is None else {"width": width}), **common(described))
