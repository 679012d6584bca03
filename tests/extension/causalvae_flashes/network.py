"""The network of moments."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from causalvae.models.vae import VAE


class _Encoder(nn.Module):
    def __init__(self, detectors: int) -> None:
        super().__init__()
        self.register_buffer("at", torch.arange(detectors, dtype=torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        light = inputs.sum(1, keepdim=True)
        place = (inputs * self.at).sum(1, keepdim=True) / light
        return torch.cat([light, place], 1)


class _Decoder(nn.Module):
    def __init__(self, detectors: int) -> None:
        super().__init__()
        self.register_buffer("at", torch.arange(detectors, dtype=torch.float32))

    def forward(self, latent: Tensor) -> Tensor:
        bump = torch.exp(-0.5 * (self.at - latent[:, 1:2]) ** 2)
        return latent[:, 0:1] * bump / bump.sum(1, keepdim=True)


def make_network(detectors: int) -> VAE:
    """The network for this number of detectors."""
    return VAE(
        _Encoder(detectors), _Decoder(detectors), latent_dim=2, input_shape=(detectors,), layout="point",
        activation="none", likelihood="gaussian",
    )  # fmt: skip
