"""A VQ-VAE: an encoder and a decoder around a quantiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from causalvae.models.perceptron import Perceptron
from causalvae.models.vae import VAE, Likelihood, Sigma
from causalvae.models.variants.convolutions import Downs, Ups, activation_of, count_halvings, halved
from causalvae.models.variants.quantiser import Quantiser

_MOST_HALVINGS = 3
_SMALLEST = 2
_HIDDEN = (128,)


class MapEncoder(nn.Module):
    """Convolutions from an image, (channels, height, width), to a map of vectors of length `latent_dim`."""

    def __init__(self, channels: int, latent_dim: int, width: int, halvings: int) -> None:
        super().__init__()
        self.downs = Downs((channels, *[width] * halvings))
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Conv2d(width, latent_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The map, (batch, latent_dim, height, width)."""
        values: Tensor = self.head(torch.relu(self.mix(self.downs(x))))
        return values


class MapDecoder(nn.Module):
    """The reverse of the encoder."""

    def __init__(self, channels: int, latent_dim: int, width: int, halvings: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(latent_dim, width, 3, padding=1)
        self.ups = Ups((*[width] * halvings, channels))

    def forward(self, z: Tensor) -> Tensor:
        """The output before its activation, (batch, channels, height, width)."""
        values: Tensor = self.ups(self.mix(z))
        return values


def vector_quantised(
    input_shape: tuple[int, ...],
    latent_dim: int,
    codes: int = 64,
    width: int = 32,
    likelihood: Likelihood = "bernoulli",
    sigma: Sigma = 1.0,
) -> VAE:
    """A VQ-VAE with a map of codes for images with even sides, halved up to three times; else with a single code.

    Parameters
    ----------
    input_shape : tuple of int
    latent_dim : int
        Length of a code.
    codes : int
        Entries of the codebook.
    width : int
        Channels of the hidden layers of the networks for images.
    likelihood, sigma
        As for `VAE`.
    """
    halvings = count_halvings(input_shape, _MOST_HALVINGS, _SMALLEST)
    shape: tuple[int, ...] = (latent_dim,)
    encoder: nn.Module
    decoder: nn.Module
    if halvings:
        shape = (latent_dim, *halved(input_shape, halvings))
        encoder = MapEncoder(input_shape[0], latent_dim, width, halvings)
        decoder = MapDecoder(input_shape[0], latent_dim, width, halvings)
    else:
        encoder = Perceptron(input_shape, _HIDDEN, shape)
        decoder = Perceptron(shape, _HIDDEN, input_shape)
    return VAE(
        encoder,
        decoder,
        latent_dim,
        input_shape,
        layout="point",
        activation=activation_of(likelihood),
        likelihood=likelihood,
        latent_shape=shape,
        latent_layer=Quantiser(codes, latent_dim),
        sigma=sigma,
    )
