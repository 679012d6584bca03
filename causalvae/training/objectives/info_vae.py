"""A maximum mean discrepancy to the prior."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat

from causalvae.spec.objective_section import PenaltySection

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.losses import Given, Terms


class InfoObjective(PenaltySection):
    """Zhao et al. 2017: reconstruction + (1 - alpha) KL + (alpha + lambda - 1) MMD to the prior, a Gaussian kernel.

    The default of alpha = 1 leaves the KL out and is the MMD-VAE.
    """

    kind: ClassVar[str] = "info_vae"
    least_batch: ClassVar[int] = 2

    name: Literal["info_vae"]
    alpha: float = Field(default=1.0, le=1.0)
    weight: PositiveFloat = Field(default=1000.0, description="lambda.")
    bandwidth: PositiveFloat | None = Field(
        default=None, description="Of the kernel; by default the square root of the number of latents."
    )

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        from causalvae.training.losses import log_kl
        from causalvae.training.penalties import maximum_mean_discrepancy

        if given.prior is None:
            raise ValueError("info_vae needs a sample of the prior")
        kl = log_kl(given, terms)
        bandwidth = math.sqrt(given.z.shape[1]) if self.bandwidth is None else self.bandwidth
        discrepancy = maximum_mean_discrepancy(given.z, given.prior, bandwidth)
        terms["mmd"] = discrepancy
        return (1.0 - self.alpha) * kl + (self.alpha + self.weight - 1.0) * discrepancy
