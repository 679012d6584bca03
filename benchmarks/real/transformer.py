"""A transformer VAE of images: 64 patches as tokens, attention with four heads, layer normalisation and GELU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.real.weights import settle
from causalvae.models.vae import VAE

_SIDE, _PATCH = 64, 8
_TOKENS = (_SIDE // _PATCH) ** 2
_WIDTH, _HEADS, _DEPTH = 64, 4, 3
_LATENTS = 16


def _body() -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        _WIDTH, _HEADS, 4 * _WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, _DEPTH, nn.LayerNorm(_WIDTH), enable_nested_tensor=False)


class TransformerEncoder(nn.Module):
    """Patches, positions, blocks; the mean over tokens gives the posterior."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, _WIDTH, _PATCH, stride=_PATCH)
        self.place = nn.Parameter(0.1 * torch.randn(1, _TOKENS, _WIDTH))
        self.body = _body()
        self.head = nn.Linear(_WIDTH, 2 * _LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latents)."""
        tokens = self.body(self.patches(x).flatten(2).transpose(1, 2) + self.place)
        parameters: Tensor = self.head(tokens.mean(1))
        return parameters


class TransformerDecoder(nn.Module):
    """The latent is added to every position; each token gives a patch."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Linear(_LATENTS, _WIDTH)
        self.place = nn.Parameter(torch.randn(1, _TOKENS, _WIDTH))
        self.body = _body()
        self.exit = nn.Linear(_WIDTH, _PATCH**2)

    def forward(self, z: Tensor) -> Tensor:
        """Logits, (batch, 1, 64, 64)."""
        tokens: Tensor = self.exit(self.body(self.entry(z)[:, None] + self.place))
        across = _SIDE // _PATCH
        grid = tokens.unflatten(2, (_PATCH, _PATCH)).unflatten(1, (across, across))
        images: Tensor = grid.permute(0, 1, 3, 2, 4).reshape(-1, 1, _SIDE, _SIDE)
        return images


def transformer_vae() -> VAE:
    """Its sites' units are tokens."""
    return settle(lambda: VAE(TransformerEncoder(), TransformerDecoder(), _LATENTS, (1, _SIDE, _SIDE)))
