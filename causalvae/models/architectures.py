"""Networks of common layers, and the network that a training spec describes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.burgess import SIDES, burgess
from causalvae.models.perceptron import Perceptron
from causalvae.models.vae import VAE, Likelihood, Sigma
from causalvae.models.variants.convolutions import activation_of
from causalvae.spec.architecture_section import ARCHITECTURES, DEFAULT_ARCHITECTURE
from causalvae.spec.registry import BrokenKind

_RESIDUAL_SMALLEST = 4
_AUDIO_STRIDE = 4


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation and a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`, (batch, channels, height, width)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(y)))


class ResidualEncoder(nn.Module):
    """Strided convolutions, a residual block after each, down to 4 x 4, then one linear layer."""

    def __init__(self, input_shape: tuple[int, ...], latent_dim: int, width: int, halvings: int) -> None:
        super().__init__()
        widths = (input_shape[0], *(min(width * 2**level, 4 * width) for level in range(halvings)))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(ResidualBlock(channels) for channels in widths[1:])
        sizes = tuple(size // 2**halvings for size in input_shape[1:])
        self.head = nn.Linear(widths[-1] * prod(sizes), 2 * latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latent_dim)."""
        for down, block in zip(self.downs, self.blocks, strict=True):
            x = block(torch.relu(down(x)))
        parameters: Tensor = self.head(x.flatten(1))
        return parameters


class ResidualDecoder(nn.Module):
    """The reverse of the encoder: a linear layer to 4 x 4, then residual blocks and transposed convolutions."""

    def __init__(self, input_shape: tuple[int, ...], latent_dim: int, width: int, halvings: int) -> None:
        super().__init__()
        widths = (*(min(width * 2**level, 4 * width) for level in reversed(range(halvings))), input_shape[0])
        self._start = (widths[0], *(size // 2**halvings for size in input_shape[1:]))
        self.grow = nn.Linear(latent_dim, prod(self._start))
        self.blocks = nn.ModuleList(ResidualBlock(channels) for channels in widths[:-1])
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))

    def forward(self, z: Tensor) -> Tensor:
        """The output before its activation, (batch, channels, height, width)."""
        x: Tensor = torch.relu(self.grow(z)).unflatten(1, self._start)
        last = len(self.ups) - 1
        for level, (block, up) in enumerate(zip(self.blocks, self.ups, strict=True)):
            x = up(block(x))
            if level < last:
                x = torch.relu(x)
        return x


class AudioEncoder(nn.Module):
    """1-d convolutions of stride 4 over a wave, then one linear layer."""

    def __init__(self, input_shape: tuple[int, ...], latent_dim: int, width: int, levels: int) -> None:
        super().__init__()
        widths = (input_shape[0], *[width] * levels)
        self.downs = nn.ModuleList(nn.Conv1d(a, b, 8, stride=_AUDIO_STRIDE, padding=2) for a, b in pairwise(widths))
        self.head = nn.Linear(width * (input_shape[1] // _AUDIO_STRIDE**levels), 2 * latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latent_dim)."""
        for down in self.downs:
            x = torch.relu(down(x))
        parameters: Tensor = self.head(x.flatten(1))
        return parameters


class AudioDecoder(nn.Module):
    """The reverse of the encoder: a linear layer, then 1-d transposed convolutions of stride 4."""

    def __init__(self, input_shape: tuple[int, ...], latent_dim: int, width: int, levels: int) -> None:
        super().__init__()
        widths = (*[width] * levels, input_shape[0])
        self._start = (width, input_shape[1] // _AUDIO_STRIDE**levels)
        self.grow = nn.Linear(latent_dim, prod(self._start))
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(a, b, 8, stride=_AUDIO_STRIDE, padding=2) for a, b in pairwise(widths)
        )

    def forward(self, z: Tensor) -> Tensor:
        """The output before its activation, (batch, channels, length)."""
        x: Tensor = torch.relu(self.grow(z)).unflatten(1, self._start)
        last = len(self.ups) - 1
        for level, up in enumerate(self.ups):
            x = up(x)
            if level < last:
                x = torch.relu(x)
        return x


def perceptron(
    input_shape: tuple[int, ...],
    latent_dim: int,
    hidden: tuple[int, ...] = (256, 256),
    likelihood: Likelihood = "bernoulli",
    sigma: Sigma = 1.0,
) -> VAE:
    """A VAE of linear layers, for inputs of any shape."""
    return _vae(
        Perceptron(input_shape, hidden, (2 * latent_dim,)),
        Perceptron((latent_dim,), tuple(reversed(hidden)), input_shape),
        input_shape,
        latent_dim,
        likelihood,
        sigma,
    )


def residual(
    input_shape: tuple[int, ...],
    latent_dim: int,
    width: int = 32,
    likelihood: Likelihood = "bernoulli",
    sigma: Sigma = 1.0,
) -> VAE:
    """A residual convolutional VAE, for images whose sides are 4 times the same power of two.

    Raises
    ------
    CausalVAEError
        CV115 for other shapes.
    """
    halvings = _halvings(input_shape, 3, 2, _RESIDUAL_SMALLEST, "residual")
    return _vae(
        ResidualEncoder(input_shape, latent_dim, width, halvings),
        ResidualDecoder(input_shape, latent_dim, width, halvings),
        input_shape,
        latent_dim,
        likelihood,
        sigma,
    )


def audio(
    input_shape: tuple[int, ...],
    latent_dim: int,
    width: int = 32,
    likelihood: Likelihood = "gaussian",
    sigma: Sigma = 1.0,
) -> VAE:
    """A 1-d convolutional VAE for waves (channels, length), where length is 4 to 16 times a power of four.

    Raises
    ------
    CausalVAEError
        CV115 for other shapes.
    """
    levels = _halvings(input_shape, 2, _AUDIO_STRIDE, _AUDIO_STRIDE, "audio")
    return _vae(
        AudioEncoder(input_shape, latent_dim, width, levels),
        AudioDecoder(input_shape, latent_dim, width, levels),
        input_shape,
        latent_dim,
        likelihood,
        sigma,
    )


class Common(TypedDict):
    """The arguments that every architecture takes."""

    latent_dim: int
    likelihood: Likelihood
    sigma: Sigma


def common(described: Mapping[str, Any]) -> Common:
    """The arguments that every architecture takes, from the model section stored with weights."""
    sigma = described.get("sigma")
    return {
        "latent_dim": int(described.get("latent_dim", 10)),
        "likelihood": described.get("likelihood", "bernoulli"),
        "sigma": 1.0 if sigma is None else sigma,
    }


def square_burgess(
    input_shape: tuple[int, ...], latent_dim: int, likelihood: Likelihood = "bernoulli", sigma: Sigma = 1.0
) -> VAE:
    """The network of Burgess et al. for pictures of any number of channels.

    Raises
    ------
    CausalVAEError
        CV115 for other shapes.
    """
    if len(input_shape) != 3 or input_shape[1] != input_shape[2] or input_shape[1] not in SIDES:
        raise _wrong_shape("burgess", input_shape, " or ".join(f"(channels, {side}, {side})" for side in SIDES))
    vae = burgess(latent_dim, input_shape[0], side=input_shape[1])
    return _vae(vae.encoder, vae.decoder, input_shape, latent_dim, likelihood, sigma)


def build(
    architecture: str,
    input_shape: tuple[int, ...],
    latent_dim: int,
    likelihood: Likelihood = "bernoulli",
    sigma: Sigma = 1.0,
    **keys: Any,
) -> VAE:
    """The named network with random weights; `keys` are the architecture's own keys, as in `build_described`."""
    described = {"latent_dim": latent_dim, "likelihood": likelihood, "sigma": sigma, **keys}
    return build_described({"architecture": architecture, **described}, input_shape)


def build_described(described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
    """The network that the model section of a training spec describes, with random weights.

    Parameters
    ----------
    described : mapping
        The section as plain values, as it is stored with weights. Keys that are missing have their defaults.
    input_shape : tuple of int
        Without the batch axis.

    Raises
    ------
    CausalVAEError
        CV115 if the architecture does not take inputs of that shape; CV144 if no installed package defines it;
        and the errors of the architecture's own keys.
    """
    name = described.get("architecture", DEFAULT_ARCHITECTURE)
    try:
        kind = ARCHITECTURES.get(name)
    except (KeyError, BrokenKind) as error:
        said = str(error) if isinstance(error, BrokenKind) else f"nothing installed defines the architecture {name}"
        raise CausalVAEError(
            "CV144", f"{said}.", "Install the distribution that defines it.", "model.architecture"
        ) from error
    return kind.build(described, input_shape)


def _vae(
    encoder: nn.Module,
    decoder: nn.Module,
    input_shape: tuple[int, ...],
    latent_dim: int,
    likelihood: Likelihood,
    sigma: Sigma,
) -> VAE:
    activation = activation_of(likelihood)
    return VAE(encoder, decoder, latent_dim, input_shape, activation=activation, likelihood=likelihood, sigma=sigma)


def _halvings(input_shape: tuple[int, ...], axes: int, factor: int, smallest: int, name: str) -> int:
    """How often every spatial side can be divided by `factor` until it is at least `smallest` and no more divides."""
    named = "(channels, side, side)" if axes == 3 else "(channels, length)"
    wanted = f"{named}, each side {smallest} or more times a power of {factor}"
    if len(input_shape) != axes:
        raise _wrong_shape(name, input_shape, wanted)
    count = 0
    sides = list(input_shape[1:])
    while all(side % factor == 0 and side // factor >= smallest for side in sides):
        sides = [side // factor for side in sides]
        count += 1
    if count == 0:
        raise _wrong_shape(name, input_shape, wanted)
    return count


def _wrong_shape(name: str, shape: tuple[int, ...], wanted: str) -> CausalVAEError:
    return CausalVAEError(
        "CV115",
        f"the architecture {name} takes inputs of shape {wanted}; these have {shape}.",
        "Choose another architecture; mlp takes any shape.",
        "model.architecture",
    )
