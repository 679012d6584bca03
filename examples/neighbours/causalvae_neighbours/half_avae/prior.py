"""A structured prior of sources: oscillators driven by heavy-tailed noise, one for each latent."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# Where the oscillators begin: one slow, one middle and one fast, so that latents do not compete for one source.
_SLOWEST, _FASTEST = 0.1, 0.9
_FIRST_DAMPING = 3.0
_FIRST_SCALES = (0.05, 0.6)


class OscillatorPrior(nn.Module):
    """z_t = 2 r cos(w) z_(t-1) - r^2 z_(t-2) + e_t with e_t ~ Laplace(0, b), for each latent with a w, r and b learned.

    A second-order autoregression is a resonance at w radians a step, sharper the nearer r is to 1; the Laplace
    distribution of what drives it suits waves that run smoothly but for jumps. The first two steps have a flat prior.

    Parameters
    ----------
    latents : int
    """

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(_spaced(_SLOWEST, _FASTEST, latents))
        self.raw_damping = nn.Parameter(torch.full((latents,), _FIRST_DAMPING))
        self.log_scale = nn.Parameter(_spaced(*_FIRST_SCALES, latents).log())

    @property
    def damping(self) -> Tensor:
        """The r of each latent, between 0 and 1: shape (latents,)."""
        return torch.sigmoid(self.raw_damping)

    def innovations(self, z: Tensor) -> Tensor:
        """e_t of latents `z`, shape (recordings, steps, latents): shape (recordings, steps - 2, latents)."""
        r = self.damping
        return z[:, 2:] - 2.0 * r * self.frequency.cos() * z[:, 1:-1] + r.square() * z[:, :-2]

    def cross_entropy(self, z: Tensor) -> Tensor:
        """-log p(z), summed over latents and averaged over the steps that have one: a scalar, in nats a step."""
        per_step = self.innovations(z).abs() / self.log_scale.exp() + self.log_scale + math.log(2.0)
        return per_step.sum(2).mean()


def _spaced(low: float, high: float, count: int) -> Tensor:
    """`count` values from `low` to `high` in equal ratios."""
    return torch.logspace(math.log10(low), math.log10(high), count)
