"""DIP-VAE-II: distance of the covariance of the aggregate posterior to the identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.training.objectives._moments import DIPObjective

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.vae import Posterior


class DIPIIObjective(DIPObjective):
    """Kumar et al. 2018: reconstruction + KL + distance of the aggregate posterior's covariance to the identity."""

    kind: ClassVar[str] = "dip_vae_ii"
    ratio: ClassVar[float] = 1.0

    name: Literal["dip_vae_ii"]

    def covariance(self, posterior: Posterior) -> Tensor:
        """The covariance to compare with the identity, (latent_dim, latent_dim)."""
        from causalvae.training.penalties import aggregate_covariance

        return aggregate_covariance(posterior)
