"""The discriminator of a FactorVAE, between the aggregate posterior and the product of its marginals.

Kim & Mnih 2018, arXiv 1802.05983. For the optimal discriminator, the difference of the two logits is the log density
ratio, whose mean under the aggregate posterior is the total correlation.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Discriminator(nn.Module):
    """A multilayer perceptron with leaky ReLUs and two logits: joint, and product of marginals."""

    def __init__(self, latent_dim: int, width: int, layers: int) -> None:
        super().__init__()
        sizes = [latent_dim, *[width] * layers]
        parts: list[nn.Module] = []
        for before, after in pairwise(sizes):
            parts += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*parts, nn.Linear(sizes[-1], 2))

    def forward(self, z: Tensor) -> Tensor:
        """Logits, shape (n, 2), of latents, shape (n, latent_dim)."""
        logits: Tensor = self.body(z)
        return logits


def total_correlation_of(logits: Tensor) -> Tensor:
    """The mean log density ratio, in nats."""
    return (logits[:, 0] - logits[:, 1]).mean()


def discriminator_loss(on_joint: Tensor, on_product: Tensor) -> Tensor:
    """Mean cross entropy over the two kinds of samples, each weighted by one half."""
    joint = torch.zeros(len(on_joint), dtype=torch.long, device=on_joint.device)
    return 0.5 * (F.cross_entropy(on_joint, joint) + F.cross_entropy(on_product, joint[: len(on_product)] + 1))


def permute_dimensions(z: Tensor, generator: torch.Generator) -> Tensor:
    """Shuffle each latent independently over the batch, a sample of the product of the marginals: (n, latent_dim)."""
    order = torch.argsort(torch.rand(z.shape, generator=generator), dim=0).to(z.device)
    return z.gather(0, order)
