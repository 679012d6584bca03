"""A perceptron VAE of 2,000 genes, as single-cell tools use: batch normalisation, two heads, a softmax over genes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.real.weights import settle
from causalvae.models.vae import VAE

GENES = 2000
_HIDDEN = 256
_LATENTS = 20
_COUNTS = 1e4


def _layer(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, after), nn.BatchNorm1d(after), nn.LeakyReLU(0.1), nn.Dropout(0.1))


class GeneEncoder(nn.Module):
    """Two hidden layers and a head each for mean and log-variance."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(_layer(GENES, _HIDDEN), _layer(_HIDDEN, _HIDDEN))
        self.mean, self.logvar = nn.Linear(_HIDDEN, _LATENTS), nn.Linear(_HIDDEN, _LATENTS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance."""
        y = self.hidden(x)
        return self.mean(y), self.logvar(y)


class GeneDecoder(nn.Module):
    """Two hidden layers, then the expected share of each gene, as the logarithm of counts."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(_layer(_LATENTS, _HIDDEN), _layer(_HIDDEN, _HIDDEN))
        self.share = nn.Linear(_HIDDEN, GENES)

    def forward(self, z: Tensor) -> Tensor:
        """log(1 + counts), (batch, genes)."""
        return torch.log1p(_COUNTS * torch.softmax(self.share(self.hidden(z)), 1))


def gene_vae() -> VAE:
    """Inputs and outputs are log(1 + counts)."""
    return settle(
        lambda: VAE(
            GeneEncoder(),
            GeneDecoder(),
            _LATENTS,
            (GENES,),
            layout="heads",
            activation="none",
            likelihood="gaussian",
        )
    )
