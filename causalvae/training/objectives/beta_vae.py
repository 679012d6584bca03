"""A weighted KL."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat

from causalvae.spec.objective_section import PenaltySection

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.losses import Given, Terms


class BetaObjective(PenaltySection):
    """Higgins et al. 2017: reconstruction + beta KL."""

    kind: ClassVar[str] = "beta_vae"

    name: Literal["beta_vae"]
    beta: PositiveFloat = 4.0

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        from causalvae.training.losses import log_kl

        return self.beta * log_kl(given, terms)
