"""The one interface behind which every variational autoencoder stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

PosteriorLayout = Literal["chunk", "interleaved"]
OutputActivation = Literal["none", "sigmoid"]
Likelihood = Literal["bernoulli", "gaussian"]


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian posterior: `mean` and `logvar`, each of shape (batch, latent_dim)."""

    mean: Tensor
    logvar: Tensor


class VAE(nn.Module):
    """An encoder and a decoder, and what must be known to read their outputs.

    Parameters
    ----------
    encoder : nn.Module
        Maps (batch, *input_shape) to posterior parameters (batch, 2 * latent_dim).
    decoder : nn.Module
        Maps (batch, latent_dim) to the output before its activation, (batch, *input_shape).
    latent_dim : int
        Number of latents.
    input_shape : tuple of int
        Shape of one input, without the batch axis.
    layout : {"chunk", "interleaved"}
        How the encoder's output splits: ``chunk`` has all means, then all log-variances; ``interleaved`` has mean and
        log-variance of latent 0, then of latent 1, and so on.
    activation : {"none", "sigmoid"}
        What turns the decoder's output into the space of the input.
    likelihood : {"bernoulli", "gaussian"}
        The reconstruction term the model was trained with.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        latent_dim: int,
        input_shape: tuple[int, ...],
        layout: PosteriorLayout = "chunk",
        activation: OutputActivation = "sigmoid",
        likelihood: Likelihood = "bernoulli",
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.input_shape = input_shape
        self.layout: PosteriorLayout = layout
        self.activation: OutputActivation = activation
        self.likelihood: Likelihood = likelihood

    def split(self, parameters: Tensor) -> Posterior:
        """Read the encoder's output, (batch, 2 * latent_dim), as a posterior."""
        if self.layout == "interleaved":
            pairs = parameters.unflatten(-1, (self.latent_dim, 2))
            return Posterior(pairs[..., 0], pairs[..., 1])
        mean, logvar = parameters.chunk(2, dim=-1)
        return Posterior(mean, logvar)

    def encode(self, x: Tensor) -> Posterior:
        """The posterior of `x`, which has shape (batch, *input_shape)."""
        return self.split(self.encoder(x))

    def activate(self, output: Tensor) -> Tensor:
        """Turn the decoder's raw output into the space of the input."""
        return torch.sigmoid(output) if self.activation == "sigmoid" else output

    def decode(self, z: Tensor) -> Tensor:
        """The output for latents `z`, (batch, latent_dim), in the space of the input."""
        return self.activate(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of `x` at the posterior mean."""
        return self.decode(self.encode(x).mean)
