"""The convolutional network of Burgess et al. 2018 (arXiv 1804.03599), the field's standard for 64 x 64 images.

Layers are named as in the disentangling-vae repository, so that its published checkpoints load without renaming. As
there, the network for 32 x 32 images lacks the layers `conv_64` and `convT_64`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from causalvae.models.vae import VAE, PosteriorLayout

_CHANNELS = 32
_HIDDEN = 256
_GRID = 4
# Supported sides of the square images.
SIDES = (32, 64)


def _down(channels_in: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, _CHANNELS, kernel_size=4, stride=2, padding=1)


def _up(channels_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(_CHANNELS, channels_out, kernel_size=4, stride=2, padding=1)


class BurgessEncoder(nn.Module):
    """Stride-2 convolutions (four for sides of 64, three for 32) and two linear layers, to (batch, 2 * latent_dim)."""

    def __init__(self, latent_dim: int, channels: int = 1, side: int = 64) -> None:
        super().__init__()
        self.conv1 = _down(channels)
        self.conv2 = _down(_CHANNELS)
        self.conv3 = _down(_CHANNELS)
        self.conv_64 = _down(_CHANNELS) if side == 64 else None
        self.lin1 = nn.Linear(_CHANNELS * _GRID * _GRID, _HIDDEN)
        self.lin2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.mu_logvar_gen = nn.Linear(_HIDDEN, 2 * latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latent_dim), of images (batch, channels, side, side)."""
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.conv3(x))
        if self.conv_64 is not None:
            x = torch.relu(self.conv_64(x))
        x = torch.relu(self.lin1(x.flatten(1)))
        x = torch.relu(self.lin2(x))
        parameters: Tensor = self.mu_logvar_gen(x)
        return parameters


class BurgessDecoder(nn.Module):
    """The reverse of the encoder, to (batch, channels, side, side) before activation."""

    def __init__(self, latent_dim: int, channels: int = 1, side: int = 64) -> None:
        super().__init__()
        self.lin1 = nn.Linear(latent_dim, _HIDDEN)
        self.lin2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.lin3 = nn.Linear(_HIDDEN, _CHANNELS * _GRID * _GRID)
        self.convT_64 = _up(_CHANNELS) if side == 64 else None
        self.convT1 = _up(_CHANNELS)
        self.convT2 = _up(_CHANNELS)
        self.convT3 = _up(channels)

    def forward(self, z: Tensor) -> Tensor:
        """Logits, (batch, channels, side, side), of latents (batch, latent_dim)."""
        x = torch.relu(self.lin1(z))
        x = torch.relu(self.lin2(x))
        x = torch.relu(self.lin3(x))
        x = x.unflatten(1, (_CHANNELS, _GRID, _GRID))
        if self.convT_64 is not None:
            x = torch.relu(self.convT_64(x))
        x = torch.relu(self.convT1(x))
        x = torch.relu(self.convT2(x))
        logits: Tensor = self.convT3(x)
        return logits


def burgess(latent_dim: int = 10, channels: int = 1, layout: PosteriorLayout = "chunk", side: int = 64) -> VAE:
    """A Burgess VAE with random weights, for inputs of shape (channels, side, side); the side is 32 or 64."""
    return VAE(
        BurgessEncoder(latent_dim, channels, side),
        BurgessDecoder(latent_dim, channels, side),
        latent_dim=latent_dim,
        input_shape=(channels, side, side),
        layout=layout,
    )
