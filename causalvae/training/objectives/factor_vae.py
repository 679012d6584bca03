"""Total correlation estimated by a discriminator."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat

from causalvae.spec.objective_section import PenaltySection
from causalvae.spec.section import Count

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.discriminator import Discriminator
    from causalvae.training.losses import Given, Terms


class FactorObjective(PenaltySection):
    """Kim & Mnih 2018: reconstruction + KL + gamma TC, the TC estimated by a discriminator.

    One half of each batch trains the network, the other gives the permuted latents.
    """

    kind: ClassVar[str] = "factor_vae"
    # One half of a batch gives the permuted latents.
    least_batch: ClassVar[int] = 4
    takes_pairs: ClassVar[bool] = False

    name: Literal["factor_vae"]
    gamma: PositiveFloat = 10.0
    width: Count = Field(default=1000, description="Units of each hidden layer of the discriminator.")
    layers: Count = Field(default=6, description="Hidden layers of the discriminator.")
    lr: PositiveFloat = Field(default=1e-4, description="The discriminator's learning rate.")

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        from causalvae.training.discriminator import total_correlation_of
        from causalvae.training.losses import log_kl

        if given.joint_logits is None:
            raise ValueError("factor_vae needs its discriminator's logits")
        kl = log_kl(given, terms)
        correlation = total_correlation_of(given.joint_logits)
        terms["total_correlation"] = correlation
        return kl + self.gamma * correlation

    def discriminator(self, latent_dim: int) -> tuple[Discriminator, float]:
        """The discriminator between the aggregate posterior and the product of its marginals, and its learning rate."""
        from causalvae.training.discriminator import Discriminator

        return Discriminator(latent_dim, self.width, self.layers), self.lr
