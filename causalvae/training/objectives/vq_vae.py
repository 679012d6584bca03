"""The commitment to a codebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat

from causalvae.spec.objective_section import PenaltySection

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from causalvae.models.vae import VAE
    from causalvae.training.losses import Given, Terms


class QuantisedObjective(PenaltySection):
    """van den Oord et al. 2017: reconstruction + commitment, the codebook learned by moving averages (appendix A.1)."""

    kind: ClassVar[str] = "vq_vae"
    architecture: ClassVar[str] = "vq"
    takes_labels: ClassVar[bool] = False

    name: Literal["vq_vae"]
    commitment: PositiveFloat = Field(default=0.25, description="beta: weight of ||encoder - code||^2.")
    decay: float = Field(default=0.99, ge=0.0, lt=1.0, description="gamma of the moving averages.")
    least_count: float = Field(
        default=1.0,
        ge=0.0,
        description="Average number of vectors of a batch that must use a code, otherwise the code is reset; 0 resets "
        "no code.",
    )

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        from causalvae.training.losses import commitment

        if given.latent is None:
            raise ValueError("vq_vae needs what the quantiser gave")
        distance = commitment(given.z, given.latent)
        terms["commitment"] = distance
        return self.commitment * distance

    def after_step(self, vae: VAE, z: Tensor, source: torch.Generator) -> Terms:
        """Update the codebook; returns ``perplexity`` of the codes and the number of ``restarted`` codes."""
        from causalvae.models.variants.quantiser import Quantiser

        if not isinstance(vae.latent_layer, Quantiser):
            return {}
        return dict(vae.latent_layer.learn(z.detach(), self.decay, self.least_count, source))
