"""A conditional VAE: encoder and decoder receive a part of the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.architecture_section import ArchitectureSection
from causalvae.spec.section import Count

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class ConditionalNetwork(ArchitectureSection):
    """A conditional VAE: encoder and decoder receive a part of the input."""

    kind: ClassVar[str] = "conditional"

    architecture: Literal["conditional"]
    condition: Count | None = Field(
        default=None, description="How many of the input's last channels (columns) are the condition."
    )

    def from_data(self, dataset: Any) -> dict[str, Any]:
        """The width of the condition that the data append, where the spec does not say it."""
        return {} if self.condition is not None else {"condition": getattr(dataset, "width", None)}

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common
        from causalvae.models.variants.conditional import conditional

        return conditional(input_shape, condition=described.get("condition") or 0, **common(described))
