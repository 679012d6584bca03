"""A variational ladder autoencoder: groups of latents that enter the decoder at different depths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.vae import VAE, Likelihood, Sigma
from causalvae.models.variants.convolutions import Downs, Ups, activation_of, count_halvings, halved

_MOST_HALVINGS = 4
_SMALLEST = 2
_HIDDEN = 64


class Widen(nn.Module):
    """One linear layer with a ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.lin = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Values, (batch, outputs)."""
        return torch.relu(self.lin(x.flatten(1)))


class LadderEncoder(nn.Module):
    """A chain of modules (rungs) from the input to increasingly abstract features, each with a posterior head.

    Parameters
    ----------
    rungs : sequence of nn.Module
        The lowest first.
    features : sequence of int
        Number of outputs of each rung.
    sizes : sequence of int
        Number of latents of each rung.
    """

    def __init__(self, rungs: list[nn.Module], features: list[int], sizes: list[int]) -> None:
        super().__init__()
        heads = [nn.Linear(many, 2 * size) for many, size in zip(features, sizes, strict=True)]
        self.rungs = _by_group(rungs)
        self.heads = _by_group(heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior means and log-variances, each (batch, latent_dim), the lowest rung's latents first."""
        means, logvars = [], []
        for rung, head in zip(self.rungs.values(), self.heads.values(), strict=True):
            x = rung(x)
            mean, logvar = head(x.flatten(1)).chunk(2, dim=1)
            means.append(mean)
            logvars.append(logvar)
        return torch.cat(means, dim=1), torch.cat(logvars, dim=1)


class LadderDecoder(nn.Module):
    """Decodes from the highest group of latents down: each rung takes the output of the rung above and its own group.

    Zhao et al., equations 6 and 7: f_l(above, z_l) = u_l([above; v_l(z_l)]).

    Parameters
    ----------
    shapes : sequence of tuple of int
        Shapes (channels first) of the features where each group enters, the lowest first.
    sizes : sequence of int
        How many latents each group has.
    rungs : sequence of nn.Module
        u_l: maps features of `shapes[l]`, with twice the channels except for the highest rung, to the shape below; the
        lowest rung maps to the output.
    """

    def __init__(self, shapes: list[tuple[int, ...]], sizes: list[int], rungs: list[nn.Module]) -> None:
        super().__init__()
        enter = [nn.Linear(size, prod(shape)) for size, shape in zip(sizes, shapes, strict=True)]
        self._places = dict(zip(group_names(len(sizes)), zip(_bounds(sizes), shapes, strict=True), strict=True))
        self.enter = _by_group(enter)
        self.rungs = _by_group(rungs)

    def forward(self, z: Tensor) -> Tensor:
        """The output before its activation, for latents (batch, latent_dim)."""
        x: Tensor | None = None
        for name, ((start, stop), shape) in reversed(self._places.items()):
            own = self.enter[name](z[:, start:stop]).unflatten(1, shape)
            x = self.rungs[name](own if x is None else torch.cat([x, own], dim=1))
        if x is None:
            raise ValueError("a ladder has at least one rung")
        return x


class Lower(nn.Module):
    """A rung of a decoder for tables: a ReLU, then one linear layer."""

    def __init__(self, inputs: int, outputs: tuple[int, ...]) -> None:
        super().__init__()
        self._outputs = outputs
        self.lin = nn.Linear(inputs, prod(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Values, (batch, *outputs)."""
        values: Tensor = self.lin(torch.relu(x)).unflatten(1, self._outputs)
        return values


def ladder(
    input_shape: tuple[int, ...],
    latent_dim: int,
    levels: int = 3,
    width: int = 32,
    likelihood: Likelihood = "bernoulli",
    sigma: Sigma = 1.0,
) -> VAE:
    """Variational ladder autoencoder (Zhao, Song & Ermon 2017, arXiv 1702.08396).

    The groups of latents ``g1`` (nearest to the input) to ``gL`` (most abstract) are independent under the prior, so
    every objective of an ordinary VAE applies.

    Parameters
    ----------
    input_shape : tuple of int
        Images (channels, height, width) are convolved; other inputs are flattened.
    latent_dim : int
        Total over all groups, divided as evenly as possible; lower groups get the remainder.
    levels : int
        Number of groups.
    width : int
        Channels of the hidden layers of the networks for images.
    likelihood, sigma
        As for `VAE`.

    Raises
    ------
    CausalVAEError
        CV124 if there are fewer latents, or fewer possible halvings of an image's sides, than groups.
    """
    halvings = count_halvings(input_shape, _MOST_HALVINGS, _SMALLEST)
    if not 0 < levels <= (min(latent_dim, halvings) if len(input_shape) == 3 else latent_dim):
        raise CausalVAEError(
            "CV124",
            f"a ladder of {levels} groups for {latent_dim} latents and inputs of shape {input_shape}.",
            "Every group has its own latent and, for images, halves the sides again: give fewer levels.",
            "model.levels",
        )
    sizes = [latent_dim // levels + (level < latent_dim % levels) for level in range(levels)]
    if halvings:
        encoder, decoder = _for_images(input_shape, sizes, width, halvings)
    else:
        encoder, decoder = _for_tables(input_shape, sizes)
    return VAE(
        encoder,
        decoder,
        latent_dim,
        input_shape,
        layout="heads",
        activation=activation_of(likelihood),
        likelihood=likelihood,
        groups=dict(zip(group_names(levels), _bounds(sizes), strict=True)),
        sigma=sigma,
    )


def _for_images(
    input_shape: tuple[int, ...], sizes: list[int], width: int, halvings: int
) -> tuple[LadderEncoder, LadderDecoder]:
    levels = len(sizes)
    # The lowest rung does the remaining halvings, since its features are the largest.
    steps = [halvings - levels + 1, *[1] * (levels - 1)]
    shapes = [(width, *halved(input_shape, sum(steps[: level + 1]))) for level in range(levels)]
    channels = [input_shape[0], *[width] * levels]
    rungs: list[nn.Module] = [
        Downs((before, *[after] * count)) for (before, after), count in zip(pairwise(channels), steps, strict=True)
    ]
    back: list[nn.Module] = []
    for level, count in enumerate(steps):
        into = width if level == levels - 1 else 2 * width
        back.append(Ups((into, *[width] * (count - 1), input_shape[0] if level == 0 else width)))
    encoder = LadderEncoder(rungs, [prod(shape) for shape in shapes], sizes)
    return encoder, LadderDecoder(list(shapes), sizes, back)


def _for_tables(input_shape: tuple[int, ...], sizes: list[int]) -> tuple[LadderEncoder, LadderDecoder]:
    levels = len(sizes)
    rungs: list[nn.Module] = [Widen(prod(input_shape) if level == 0 else _HIDDEN, _HIDDEN) for level in range(levels)]
    back: list[nn.Module] = [
        Lower(_HIDDEN if level == levels - 1 else 2 * _HIDDEN, input_shape if level == 0 else (_HIDDEN,))
        for level in range(levels)
    ]
    encoder = LadderEncoder(rungs, [_HIDDEN] * levels, sizes)
    return encoder, LadderDecoder([(_HIDDEN,)] * levels, sizes, back)


def group_names(levels: int) -> tuple[str, ...]:
    """``g1`` to ``gL``, the lowest group first."""
    return tuple(f"g{level}" for level in range(1, levels + 1))


def _by_group(modules: Sequence[nn.Module]) -> nn.ModuleDict:
    return nn.ModuleDict(dict(zip(group_names(len(modules)), modules, strict=True)))


def _bounds(sizes: list[int]) -> list[tuple[int, int]]:
    """Consecutive half-open ranges of the given sizes."""
    ends = [sum(sizes[: level + 1]) for level in range(len(sizes))]
    return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]
