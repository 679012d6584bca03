"""KL and total correlation with a decreasing weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat

from causalvae.spec.objective_section import PenaltySection
from causalvae.spec.section import Count

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.losses import Given, Terms


class AnnealedTCObjective(PenaltySection):
    """Reconstruction + w(t) (KL + (kappa - 1) TC), the weight w falling geometrically from `start` to `end`.

    A falling weight admits the factors in the order of what they are worth to the picture, as a rising capacity does
    (Burgess et al. 2018), but its gradient is smooth: the capacity objective's |KL - C| flips sign at every step and
    its large gamma then drowns the reconstruction in the optimiser's normalisation. The total correlation (Chen et al.
    2018) breaks the symmetry under rotation that the KL alone leaves between factors of equal worth.
    """

    kind: ClassVar[str] = "annealed_tcvae"
    least_batch: ClassVar[int] = 2

    name: Literal["annealed_tcvae"]
    start: PositiveFloat = 20.0
    end: PositiveFloat = 4.0
    kappa: float = Field(default=3.0, ge=1.0)
    anneal_steps: Count = 20_000

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        import torch

        from causalvae.training.losses import log_kl, ramp, total_correlation

        log_kl(given, terms)
        weight: float = self.start * (self.end / self.start) ** ramp(given.step, self.anneal_steps)
        information, correlation, dimension_wise = total_correlation(given.posterior, given.z, given.dataset_size)
        terms["weight"] = torch.tensor(weight)
        terms["total_correlation"] = correlation
        return weight * (information + self.kappa * correlation + dimension_wise)
