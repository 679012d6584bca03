"""KL with an increasing capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat

from causalvae.spec.objective_section import PenaltySection
from causalvae.spec.section import Count

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.training.losses import Given, Terms


class AnnealedCapacityObjective(PenaltySection):
    """Burgess et al. 2018: reconstruction + gamma |KL - C|, C rising linearly from 0 to `capacity` nats."""

    kind: ClassVar[str] = "annealed_capacity"

    name: Literal["annealed_capacity"]
    gamma: PositiveFloat = 100.0
    capacity: PositiveFloat = 25.0
    anneal_steps: Count = 30_000

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight."""
        import torch

        from causalvae.training.losses import log_kl, ramp

        kl = log_kl(given, terms)
        target = self.capacity * ramp(given.step, self.anneal_steps)
        terms["capacity"] = torch.tensor(target)
        return self.gamma * (kl - target).abs()
