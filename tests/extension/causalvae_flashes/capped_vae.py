"""A VAE whose KL costs nothing above a cap."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from causalvae.spec.objective_section import PenaltySection

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.losses import Given, Terms


class CappedVae(PenaltySection):
    """Reconstruction + min(KL, cap)."""

    kind: ClassVar[str] = "capped_vae"

    name: Literal["capped_vae"]
    cap: float = Field(default=10.0, gt=0, description="Nats above which the KL costs nothing more.")

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The KL, or the cap where the KL is above it."""
        from causalvae.training.losses import log_kl

        return log_kl(given, terms).clamp(max=self.cap)
