"""The one interface behind which every variational autoencoder stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

PosteriorLayout = Literal["chunk", "interleaved", "heads"]
PosteriorSecond = Literal["logvar", "var", "log_std"]
OutputActivation = Literal["none", "sigmoid", "tanh"]
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
        Maps (batch, *input_shape) to posterior parameters (batch, 2 * latent_dim), or to a tuple of two halves.
    decoder : nn.Module
        Maps (batch, latent_dim) to the output before its activation, (batch, *input_shape).
    latent_dim : int
        Number of latents.
    input_shape : tuple of int
        Shape of one input, without the batch axis.
    layout : {"chunk", "interleaved", "heads"}
        How the encoder's output splits: ``chunk`` has all means, then all log-variances; ``interleaved`` has mean and
        log-variance of latent 0, then of latent 1, and so on; ``heads`` is a tuple of both.
    activation : {"none", "sigmoid", "tanh"}
        What turns the decoder's output into the space of the decoder's inputs.
    likelihood : {"bernoulli", "gaussian"}
        The reconstruction term the model was trained with.
    second : {"logvar", "var", "log_std"}
        What stands beside the means.
    input_range : tuple of float
        What the encoder's inputs and the decoder's outputs range over; data and outcomes range over [0, 1].
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
        second: PosteriorSecond = "logvar",
        input_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = latent_dim
        self.input_shape = input_shape
        self.layout: PosteriorLayout = layout
        self.activation: OutputActivation = activation
        self.likelihood: Likelihood = likelihood
        self.second: PosteriorSecond = second
        self.input_range = input_range

    def split(self, parameters: Tensor | tuple[Tensor, Tensor]) -> Posterior:
        """Read the encoder's output, (batch, 2 * latent_dim) or a tuple of halves, as a posterior."""
        if self.layout == "heads" or isinstance(parameters, (tuple, list)):
            mean, second = parameters
        elif self.layout == "interleaved":
            pairs = parameters.unflatten(-1, (self.latent_dim, 2))
            mean, second = pairs[..., 0], pairs[..., 1]
        else:
            mean, second = parameters.chunk(2, dim=-1)
        if self.second == "var":
            second = second.log()
        elif self.second == "log_std":
            second = 2.0 * second
        return Posterior(mean, second)

    def scale_input(self, x: Tensor) -> Tensor:
        """Data in [0, 1] in the range that the encoder expects."""
        low, high = self.input_range
        return x if (low, high) == (0.0, 1.0) else x * (high - low) + low

    def encode(self, x: Tensor) -> Posterior:
        """The posterior of `x`, which has shape (batch, *input_shape) and ranges over [0, 1]."""
        return self.split(self.encoder(self.scale_input(x)))

    def activate(self, output: Tensor) -> Tensor:
        """Turn the decoder's raw output into data in [0, 1]."""
        if self.activation == "sigmoid":
            output = torch.sigmoid(output)
        elif self.activation == "tanh":
            output = torch.tanh(output)
        low, high = self.input_range
        return output if (low, high) == (0.0, 1.0) else (output - low) / (high - low)

    def decode(self, z: Tensor) -> Tensor:
        """The output for latents `z`, (batch, latent_dim), in the space of the input."""
        return self.activate(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of `x` at the posterior mean."""
        return self.decode(self.encode(x).mean)
