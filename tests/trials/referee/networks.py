"""Networks that are trained, not set by hand: what carries a factor is known from how they were trained.

Each takes tables of four numbers in [0, 1]. Column 0 is the factor ``t`` and output 0 is ``y``. The decoders have two
hidden layers, and the second also reads the latents, so that a factor can reach the output around the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

COLUMNS: Final = 4
LATENTS: Final = 6
HIDDEN: Final = 16

# From latents, shape (n, LATENTS), to y.
Rule = Callable[[Tensor], Tensor]


def _one(z: Tensor) -> Tensor:
    return z[:, 0]


def _sum(z: Tensor) -> Tensor:
    return 0.5 * z[:, 0] + 0.5 * z[:, 1]


def _either(z: Tensor) -> Tensor:
    return torch.maximum(z[:, 0], z[:, 1])


def _half(z: Tensor) -> Tensor:
    return torch.where(z[:, 2] > 0.5, z[:, 0], z[:, 1])


def _bent(z: Tensor) -> Tensor:
    return torch.sin(3 * z[:, 0]) * (0.3 + 0.7 * z[:, 1])


RULES: Final[Mapping[str, Rule]] = {"one": _one, "sum": _sum, "either": _either, "half": _half, "bent": _bent}


class Trained(nn.Module):
    """An encoder of one hidden layer and a decoder of two.

    Parameters
    ----------
    apart : bool
        Whether the first hidden layer of the decoder reads latent 0 and those from 2 on, and the second latent 1.
    """

    def __init__(self, apart: bool) -> None:
        super().__init__()
        self.apart = apart
        self.read = nn.Linear(COLUMNS, HIDDEN)
        self.mean = nn.Linear(HIDDEN, LATENTS)
        self.spread = nn.Linear(HIDDEN, LATENTS)
        self.first = nn.Linear(LATENTS - apart, HIDDEN)
        self.second = nn.Linear(HIDDEN + apart, HIDDEN)
        self.out = nn.Linear(HIDDEN, COLUMNS)
        nn.init.zeros_(self.spread.weight)
        nn.init.constant_(self.spread.bias, -8.0)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance."""
        hidden = torch.tanh(self.read(x))
        return self.mean(hidden), self.spread(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """Four columns."""
        if not self.apart:
            hidden = torch.relu(self.first(z))
            return self.out(torch.relu(self.second(hidden)))
        hidden = torch.relu(self.first(torch.cat([z[:, :1], z[:, 2:]], 1)))
        return self.out(torch.relu(self.second(torch.cat([hidden, z[:, 1:2]], 1))))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Output, mean and log-variance."""
        mean, spread = self.encode(x)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * spread)
        return self.decode(z), mean, spread


def make(
    rule: str, seed: int, apart: bool = False, steps: int = 1200, noise: float = 0.0, tied: float = 0.0
) -> Trained:
    """A network trained with seed `seed` so that latents carry (t, t, s, u, v, v) and y follows `rule`.

    `noise` is the weight of t that leaks into the latent of u, so that a third latent moves with t. `tied` is the
    weight of t in s, among the inputs that it is trained on.
    """
    before = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        return _train(Trained(apart), RULES[rule], steps, noise, tied)
    finally:
        torch.random.set_rng_state(before)


def _train(network: Trained, rule: Rule, steps: int, noise: float, tied: float) -> Trained:
    adam = torch.optim.Adam(network.parameters(), lr=1e-2)
    halving = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        x = torch.rand(128, COLUMNS)
        x[:, 1] = tied * x[:, 0] + (1 - tied) * x[:, 1]
        wanted = x[:, [0, 0, 1, 2, 3, 3]]
        wanted = torch.cat([wanted[:, :3], wanted[:, 3:4] + noise * x[:, :1], wanted[:, 4:]], 1)
        mean, _ = network.encode(x)
        # The decoder learns from latents that do not agree, too: what it does with each is then known.
        z = torch.where(torch.rand(128, 1) < 0.2, mean.detach(), torch.rand(128, LATENTS))
        output = network.decode(z)
        right = torch.stack([rule(z), z[:, 2], z[:, 3], z[:, 4]], 1)
        loss = ((mean - wanted) ** 2).mean() + ((output - right) ** 2).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        halving.step()
    return network.eval()
