"""The evidence lower bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.objective_section import PenaltySection

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.losses import Given, Terms


class StandardObjective(PenaltySection):
    """Kingma & Welling 2013: reconstruction + KL."""

    kind: ClassVar[str] = "vae"

    name: Literal["vae"]

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        from causalvae.training.losses import log_kl

        return log_kl(given, terms)
