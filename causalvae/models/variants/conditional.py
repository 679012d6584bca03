"""A conditional VAE: encoder and decoder both read a condition, held in the last channels (columns) of the input."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.perceptron import Perceptron
from causalvae.models.vae import VAE, Likelihood, Sigma
from causalvae.models.variants.convolutions import Downs, Ups, activation_of, count_halvings, halved

_MOST_HALVINGS = 4
_SMALLEST = 2
_HIDDEN = (128, 128)


class Condition(nn.Module):
    """Extracts the condition from an input, one number per channel (column); a component of the decoder.

    Parameters
    ----------
    outputs : int
        Channels (columns) before the condition's.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self._outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """Labels, (batch, conditions); means over positions if inputs are images."""
        labels = x[:, self._outputs :]
        return labels.flatten(2).mean(2) if labels.ndim > 2 else labels


class ConditionalDecoder(nn.Module):
    """A decoder of the latent and of the condition.

    Parameters
    ----------
    outputs : int
        Channels (columns) of the output.
    body : nn.Module
        Maps the latent and the condition, concatenated, to the output before its activation.
    """

    def __init__(self, outputs: int, body: nn.Module) -> None:
        super().__init__()
        self.condition = Condition(outputs)
        self.body = body

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """The output before its activation, for latents (batch, latent_dim) and inputs with the condition."""
        values: Tensor = self.body(torch.cat([z, self.condition(x)], dim=1))
        return values


class ImageEncoder(nn.Module):
    """Convolutions, then one linear layer to the posterior's parameters."""

    def __init__(self, input_shape: tuple[int, ...], latent_dim: int, width: int, halvings: int) -> None:
        super().__init__()
        self.downs = Downs((input_shape[0], *[width] * halvings))
        self.head = nn.Linear(width * prod(halved(input_shape, halvings)), 2 * latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latent_dim)."""
        parameters: Tensor = self.head(self.downs(x).flatten(1))
        return parameters


class ImageBody(nn.Module):
    """The reverse of the encoder: a linear layer, then transposed convolutions."""

    def __init__(self, inputs: int, output_shape: tuple[int, ...], width: int, halvings: int) -> None:
        super().__init__()
        self._start = (width, *halved(output_shape, halvings))
        self.grow = nn.Linear(inputs, prod(self._start))
        self.ups = Ups((*[width] * halvings, output_shape[0]))

    def forward(self, z: Tensor) -> Tensor:
        """The output before its activation, (batch, channels, height, width)."""
        values: Tensor = self.ups(self.grow(z).unflatten(1, self._start))
        return values


def conditional(
    input_shape: tuple[int, ...],
    latent_dim: int,
    condition: int,
    width: int = 32,
    likelihood: Likelihood = "bernoulli",
    sigma: Sigma = 1.0,
) -> VAE:
    """Conditional VAE (Sohn, Lee & Yan 2015) with posterior q(z | y, c), output p(y | z, c) and prior z ~ N(0, I).

    The prior does not depend on the condition, which is the simpler of their two variants.

    Parameters
    ----------
    input_shape : tuple of int
        Includes the condition: images (channels, height, width) hold it in their last channels, constant over
        positions; rows of a table hold it in their last columns.
    latent_dim : int
    condition : int
        Number of channels (columns) of the condition.
    width : int
        Channels of the hidden layers of the networks for images.
    likelihood, sigma
        As for `VAE`.

    Raises
    ------
    CausalVAEError
        CV123 if no channel is left for the output.
    """
    if not 0 < condition < input_shape[0]:
        raise CausalVAEError(
            "CV123",
            f"{condition} of the inputs' {input_shape[0]} channels (columns) are to be the condition.",
            f"Give from 1 to {input_shape[0] - 1}, with data that holds the condition behind what is reconstructed."
            if input_shape[0] > 1
            else "Choose data that holds a condition behind what is reconstructed, such as `data.condition`.",
            "model.condition",
        )
    output_shape = (input_shape[0] - condition, *input_shape[1:])
    halvings = count_halvings(input_shape, _MOST_HALVINGS, _SMALLEST)
    encoder: nn.Module
    body: nn.Module
    if halvings:
        encoder = ImageEncoder(input_shape, latent_dim, width, halvings)
        body = ImageBody(latent_dim + condition, output_shape, width, halvings)
    else:
        encoder = Perceptron(input_shape, _HIDDEN, (2 * latent_dim,))
        body = Perceptron((latent_dim + condition,), _HIDDEN, output_shape)
    return VAE(
        encoder,
        ConditionalDecoder(output_shape[0], body),
        latent_dim,
        input_shape,
        activation=activation_of(likelihood),
        likelihood=likelihood,
        output_shape=output_shape,
        decoder_reads_input=True,
        sigma=sigma,
    )
