"""DIP-VAE-I: distance of the covariance of posterior means to the identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.training.objectives._moments import DIPObjective

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.vae import Posterior


class DIPIObjective(DIPObjective):
    """Kumar et al. 2018: reconstruction + KL + distance of the covariance of posterior means to the identity."""

    kind: ClassVar[str] = "dip_vae_i"
    ratio: ClassVar[float] = 10.0

    name: Literal["dip_vae_i"]

    def covariance(self, posterior: Posterior) -> Tensor:
        """The covariance to compare with the identity, (latent_dim, latent_dim)."""
        from causalvae.training.penalties import mean_covariance

        return mean_covariance(posterior)
