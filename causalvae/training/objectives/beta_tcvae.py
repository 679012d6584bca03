"""A weighted total correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat

from causalvae.spec.objective_section import PenaltySection

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.losses import Given, Terms


class BetaTCObjective(PenaltySection):
    """Chen et al. 2018: reconstruction + alpha MI + beta TC + gamma dimension-wise KL, minibatch-stratified estimates.

    With an autoregressive decoder alpha below 1 is what makes the latent be used: at 1 a bound of the likelihood gains
    nothing from it, since the decoder can tell any distribution without (Chen et al. 2017, arXiv 1611.02731).
    """

    kind: ClassVar[str] = "beta_tcvae"
    least_batch: ClassVar[int] = 2

    name: Literal["beta_tcvae"]
    beta: PositiveFloat = 6.0
    alpha: float = Field(default=1.0, ge=0.0, description="Weight of the mutual information.")
    gamma: float = Field(default=1.0, ge=0.0, description="Weight of the dimension-wise KL.")
    anneal_steps: int = Field(default=0, ge=0)

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        from causalvae.training.losses import log_kl, ramp, total_correlation

        log_kl(given, terms)
        information, correlation, dimension_wise = total_correlation(given.posterior, given.z, given.dataset_size)
        weight = 1.0 + (self.beta - 1.0) * ramp(given.step, self.anneal_steps)
        terms["mutual_information"] = information
        terms["total_correlation"] = correlation
        return self.alpha * information + weight * correlation + self.gamma * dimension_wise
