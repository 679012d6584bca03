"""1-d convolutions, for waves whose length is 4 to 16 times a power of four."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causalvae.spec.architecture_section import ArchitectureSection, Rows

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class AudioNetwork(ArchitectureSection):
    """1-d convolutions, for waves whose length is 4 to 16 times a power of four."""

    kind: ClassVar[str] = "audio"
    head: ClassVar[str] = "encoder.head.bias"
    sizes: ClassVar[tuple[str, ...]] = ("width",)
    usual_likelihood: ClassVar[Literal["bernoulli", "gaussian"]] = "gaussian"

    architecture: Literal["audio"]

    @classmethod
    def found_sizes(cls, rows: Rows) -> dict[str, tuple[Any, str]]:
        """Channels of the first level."""
        return {"width": (rows("encoder.downs.0.weight"), "encoder.downs.0.weight")}

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import audio, common

        width = described.get("width")
        return audio(input_shape, **({} if width is None else {"width": width}), **common(described))
