"""Base class of the two DIP-VAEs: distance of a covariance to the identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, PositiveFloat

from causalvae.spec.objective_section import PenaltySection

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.vae import Posterior
    from causalvae.training.losses import Given, Terms


class DIPObjective(PenaltySection):
    """Kumar et al. 2018: reconstruction + KL + distance of a covariance to the identity.

    Attributes
    ----------
    ratio : float
        Weight of the diagonal relative to that of the rest, if `diagonal` is omitted.
    """

    least_batch: ClassVar[int] = 2
    ratio: ClassVar[float]

    name: str
    off_diagonal: PositiveFloat = 10.0
    diagonal: PositiveFloat | None = Field(
        default=None, description="By default ten times off_diagonal for dip_vae_i, and equal to it for dip_vae_ii."
    )

    @property
    def on_diagonal(self) -> float:
        """The weight of the diagonal."""
        return self.off_diagonal * self.ratio if self.diagonal is None else self.diagonal

    def covariance(self, posterior: Posterior) -> Tensor:
        """The covariance to compare with the identity, (latent_dim, latent_dim)."""
        raise NotImplementedError

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        from causalvae.training.losses import log_kl
        from causalvae.training.penalties import disentangled_prior

        kl = log_kl(given, terms)
        distance = disentangled_prior(self.covariance(given.posterior), self.off_diagonal, self.on_diagonal)
        terms["moment_distance"] = distance
        return kl + distance
