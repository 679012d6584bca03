"""A VQ-VAE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from causalvae.spec.architecture_section import ArchitectureSection
from causalvae.spec.section import Count

if TYPE_CHECKING:
    from causalvae.models.vae import VAE

CODES: Final = 64


class QuantisedNetwork(ArchitectureSection):
    """A VQ-VAE: each position of the latent is one of a codebook's entries (van den Oord et al. 2017)."""

    kind: ClassVar[str] = "vq"
    has_objective: ClassVar[bool] = True

    architecture: Literal["vq"]
    codes: Count | None = Field(default=None, description="Entries of the codebook; by default 64.")

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common
        from causalvae.models.variants.quantised import vector_quantised

        return vector_quantised(input_shape, codes=described.get("codes") or CODES, **common(described))
