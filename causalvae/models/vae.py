"""The interface of every variational autoencoder in this package."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError

PosteriorLayout = Literal["chunk", "interleaved", "heads", "point"]
PosteriorSecond = Literal["logvar", "var", "std", "log_std"]
OutputActivation = Literal["none", "sigmoid", "tanh"]
Likelihood = Literal["bernoulli", "gaussian"]
Part = Literal["encoder", "latent_layer", "decoder"]
# Names that groups of latents cannot have, since these are parts of every latent.
_PARTS = ("mean", "logvar", "noise", "exogenous")
Sigma = float | Literal["learned"]
# Lower bound of a learned log standard deviation: if a decoder fits its data exactly, the likelihood is unbounded.
LEAST_LOG_SIGMA = -6.0


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian posterior.

    Parameters
    ----------
    mean, logvar : Tensor, shape (batch, *latent_shape)
        The log-variance of a deterministic encoder is minus infinity.
    is_point : bool
        Whether the encoder is deterministic; it then has no KL to the prior.
    """

    mean: Tensor
    logvar: Tensor
    is_point: bool = False

    def sample(self, noise: Tensor) -> Tensor:
        """Mean + noise * sd; the mean if the encoder is deterministic."""
        return self.mean if self.is_point else self.mean + noise * (0.5 * self.logvar).exp()


def deviation_of(value: Tensor, kind: PosteriorSecond) -> Tensor:
    """Standard deviations from values of `kind`."""
    if kind == "std":
        return value
    if kind == "var":
        return value.sqrt()
    return (value if kind == "log_std" else 0.5 * value).exp()


class VAE(nn.Module):
    """An encoder, a decoder, an optional latent layer, and how their outputs are interpreted.

    input -> encoder -> posterior -> mean or sample -> latent layer (optional) -> latent -> decoder.

    Parameters
    ----------
    encoder : nn.Module
        Maps (batch, *input_shape) to posterior parameters (batch, 2 * latent_dim), or to a tuple of two halves.
    decoder : nn.Module
        Maps latents (batch, *latent_shape) to the output before its activation, (batch, *output_shape).
    latent_dim : int
        Number of latents, or of channels if the latent is a map.
    input_shape : tuple of int
        Shape of one input, without the batch axis.
    layout : {"chunk", "interleaved", "heads", "point"}
        Layout of the encoder's output: ``chunk`` has all means, then all log-variances; ``interleaved`` has mean and
        log-variance of latent 0, then of latent 1, and so on; ``heads`` is a tuple of both; ``point`` has the latents
        without a variance.
    activation : {"none", "sigmoid", "tanh"}
        Applied to the decoder's output to map it to `input_range`.
    likelihood : {"bernoulli", "gaussian"}
        Reconstruction term of the training objective.
    second : {"logvar", "var", "std", "log_std"}
        Second parameter of the posterior.
    input_range : tuple of float
        Range of the encoder's inputs and the decoder's activated outputs; data and outcomes are in [0, 1].
    latent_shape : tuple of int, optional
        Shape of one latent, without the batch axis; (latent_dim,) by default.
    output_shape : tuple of int, optional
        Shape of one output; `input_shape` by default. If it has fewer channels (columns) than the input, it
        reconstructs the first ones.
    latent_layer : nn.Module, optional
        Maps the posterior's mean or sample to the decoder's input, both (batch, *latent_shape); for example a quantiser
        or a causal layer.
    decoder_reads_input : bool
        Whether the decoder is called with (latent, input), where the input is scaled as for the encoder: for a
        condition, or an autoregressive decoder. The input then also reaches the output on a path around the latent.
    groups : mapping of str to (int, int), optional
        Named half-open ranges of latents, such as the latents of one level of a ladder.
    sigma : float or "learned"
        Standard deviation of a Gaussian likelihood, one for all numbers of an input, in units of the data; ``learned``
        makes it a parameter, `raw_log_sigma`, that starts at 1 (sigma-VAE, Rybkin et al. 2021, arXiv 2006.13202).
    network : nn.Module, optional
        Network whose methods and modules the encoder, the latent layer and the decoder call, if they have none of their
        own. It is registered here, so that every parameter has one path.

    Attributes
    ----------
    beside : nn.Module or None
        Modules that `network` calls without registering them, such as those in a plain list, under their paths.
    writing : frozenset of {"encoder", "latent_layer", "decoder"}
        Parts that modify their input in place; they receive copies. Empty until the network is loaded for analysis.

    Raises
    ------
    CausalVAEError
        CV120 if `output_shape` is not a first part of `input_shape`, CV121 if groups overlap or exceed the latent.
    ValueError
        If `sigma` is not positive, or is learned without a Gaussian likelihood.
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
        latent_shape: tuple[int, ...] | None = None,
        output_shape: tuple[int, ...] | None = None,
        latent_layer: nn.Module | None = None,
        decoder_reads_input: bool = False,
        groups: Mapping[str, tuple[int, int]] | None = None,
        sigma: Sigma = 1.0,
        network: nn.Module | None = None,
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
        self.latent_shape = (latent_dim,) if latent_shape is None else latent_shape
        self.output_shape = input_shape if output_shape is None else output_shape
        self.latent_layer = latent_layer
        self.decoder_reads_input = decoder_reads_input
        self.groups = dict(groups or {})
        self.sigma: Sigma = sigma
        self.network = network
        self.beside: nn.Module | None = None
        self.writing: frozenset[Part] = frozenset()
        if sigma == "learned":
            if likelihood != "gaussian":
                raise ValueError("only a Gaussian likelihood has a sigma to learn")
            self.raw_log_sigma = nn.Parameter(torch.zeros(()))
        elif not sigma > 0.0:
            raise ValueError(f"sigma must be above 0, not {sigma}")
        _check_shapes(self)

    @property
    def log_sigma(self) -> Tensor:
        """Log standard deviation of a Gaussian likelihood: a scalar."""
        if self.sigma == "learned":
            return self.raw_log_sigma.clamp(min=LEAST_LOG_SIGMA)
        return torch.tensor(math.log(self.sigma))

    @property
    def is_point(self) -> bool:
        """Whether the encoder is deterministic (returns no variance)."""
        return self.layout == "point"

    def split(self, parameters: Tensor | tuple[Tensor, Tensor]) -> Posterior:
        """Read the encoder's output, (batch, 2 * latent_dim, ...) or a tuple of halves, as a posterior."""
        if self.layout == "point" and isinstance(parameters, Tensor):
            return Posterior(parameters, torch.full_like(parameters, -torch.inf), is_point=True)
        if self.layout == "heads" or isinstance(parameters, (tuple, list)):
            mean, second = parameters
        elif self.layout == "interleaved":
            pairs = parameters.unflatten(1, (self.latent_dim, 2))
            mean, second = pairs[:, :, 0], pairs[:, :, 1]
        else:
            mean, second = parameters.chunk(2, dim=1)
        if self.second == "var":
            second = second.log()
        elif self.second == "std":
            second = 2.0 * second.log()
        elif self.second == "log_std":
            second = 2.0 * second
        return Posterior(mean, second)

    def scale_input(self, x: Tensor) -> Tensor:
        """Map data in [0, 1] to the range that the encoder expects."""
        low, high = self.input_range
        return x if (low, high) == (0.0, 1.0) else x * (high - low) + low

    def feed(self, part: Part, value: Tensor) -> Tensor:
        """`value`, or a copy if `part` modifies its input in place."""
        return value.clone() if part in self.writing else value

    def encode(self, x: Tensor) -> Posterior:
        """The posterior of `x`, which has shape (batch, *input_shape) and ranges over [0, 1]."""
        return self.split(self.encoder(self.feed("encoder", self.scale_input(x))))

    def activate(self, output: Tensor) -> Tensor:
        """Turn the decoder's raw output into data in [0, 1]."""
        if self.activation == "sigmoid":
            output = torch.sigmoid(output)
        elif self.activation == "tanh":
            output = torch.tanh(output)
        low, high = self.input_range
        return output if (low, high) == (0.0, 1.0) else (output - low) / (high - low)

    def pass_on(self, value: Tensor) -> Tensor:
        """Apply the latent layer, if any, to a posterior mean or sample; both have shape (batch, *latent_shape)."""
        if self.latent_layer is None:
            return value
        latent: Tensor = self.latent_layer(self.feed("latent_layer", value))
        return latent

    def decode_raw(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        """The decoder's output before its activation; see `decode`."""
        z = self.feed("decoder", z)
        if not self.decoder_reads_input:
            raw: Tensor = self.decoder(z)
        elif x is None:
            raise ValueError("this decoder reads the input as well")
        else:
            raw = self.decoder(z, self.feed("decoder", self.scale_input(x)))
        return raw

    def decode(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        """The activated output for latents after the latent layer.

        Parameters
        ----------
        z : Tensor, shape (batch, *latent_shape)
        x : Tensor, shape (batch, *input_shape), optional
            Inputs in [0, 1]; required if the decoder reads the input.

        Returns
        -------
        Tensor, shape (batch, *output_shape)
            In [0, 1], the space of the input.
        """
        return self.activate(self.decode_raw(z, x))

    def target(self, x: Tensor) -> Tensor:
        """The part of inputs that the outputs reconstruct, (batch, *output_shape)."""
        return x if self.output_shape == self.input_shape else x[:, : self.output_shape[0]]

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction of `x` at the posterior mean."""
        return self.decode(self.pass_on(self.encode(x).mean), x)


def _check_shapes(vae: VAE) -> None:
    before, after = tuple(vae.input_shape), tuple(vae.output_shape)
    if before != after and not (len(before) == len(after) and before[1:] == after[1:] and after[0] < before[0]):
        raise CausalVAEError(
            "CV120",
            f"the network's outputs have shape {after}, its inputs {before}.",
            "The output must have the shape of the input, or of its first channels (columns).",
            "model",
        )
    reached = 0
    for name, (start, stop) in sorted(vae.groups.items(), key=lambda item: item[1]):
        if not reached <= start < stop <= vae.latent_dim or name in _PARTS or not name.isidentifier():
            raise CausalVAEError(
                "CV121",
                f"the group {name} of latents is {start}:{stop}; there are {vae.latent_dim} latents.",
                f"Groups are half-open ranges within 0:{vae.latent_dim} that share no latent; {', '.join(_PARTS)} are "
                "reserved names.",
                "model",
            )
        reached = stop
