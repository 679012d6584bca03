"""Finds the declarations (posterior, output, input range) under which a network reconstructs its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from causalvae.boundary import is_out_of_memory
from causalvae.errors import CausalVAEError
from causalvae.models.likelihood import negative_log_likelihood
from causalvae.models.network import channel_kl
from causalvae.models.vae import VAE, Likelihood, OutputActivation, PosteriorLayout, PosteriorSecond

# Usual ranges of inputs, tried in addition to the declared one.
RANGES = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0))
ACTIVATIONS: tuple[OutputActivation, ...] = ("none", "sigmoid", "tanh")
# A further change of the declaration must increase the explained variance by this much.
_GAIN = 1e-3
_SLACK = 1e-6
# More than the share `_MANY` of values further outside the range than `_FAR` of its width is not due to rounding.
_FAR, _MANY = 0.5, 0.01


@dataclass(frozen=True)
class Reading:
    """Declaration of a network's posterior, output and input range in a spec."""

    layout: PosteriorLayout
    second: PosteriorSecond
    activation: OutputActivation
    likelihood: Likelihood
    input_range: tuple[float, float]

    def changes(self, declared: Reading) -> frozenset[tuple[str, object]]:
        """The keys in which it differs from `declared`, each with its value."""
        names = [field.name for field in fields(self)]
        return frozenset(
            (name, getattr(self, name)) for name in names if getattr(self, name) != getattr(declared, name)
        )

    def section(self, declared: Reading) -> dict[str, Any]:
        """The keys of a spec's model that change the reading `declared` to this one."""
        changed = dict(self.changes(declared))
        found: dict[str, Any] = {}
        for section, keys in (("posterior", ("layout", "second")), ("output", ("activation", "likelihood"))):
            inside = {key: changed[key] for key in keys if key in changed}
            if inside:
                found[section] = inside
        if "input_range" in changed:
            found["input_range"] = list(self.input_range)
        return found

    def words(self, declared: Reading) -> str:
        """The YAML that changes the reading `declared` to this one."""
        said = []
        for key, value in self.section(declared).items():
            if isinstance(value, dict):
                said.append(f"{key}: {{{', '.join(f'{name}: {held}' for name, held in value.items())}}}")
            else:
                said.append(f"{key}: [{', '.join(f'{end:g}' for end in value)}]")
        return ", ".join(said)


class MisreadError(CausalVAEError):
    """A network that does not reconstruct as it is declared, with the declarations under which it does, best first."""

    sections: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Alternative:
    """A reading under which a network reconstructs its data better than the mean image does.

    Parameters
    ----------
    reading : Reading
    cost, mean_image : float
        Nats per input under the reading's likelihood, of the reconstruction and of the best constant image.
    squashed : bool
        Whether the raw outputs of the decoder are within the range of the data.
    explained : float
        Share of the data's variance that reconstructions explain; comparable between likelihoods.
    """

    reading: Reading
    cost: float
    mean_image: float
    squashed: bool
    explained: float

    @property
    def is_plain(self) -> bool:
        """Whether the outputs are within the range of the data without an activation."""
        return self.squashed and self.reading.activation == "none"


def declared_reading(vae: VAE) -> Reading:
    """The current reading of a network."""
    return Reading(vae.layout, vae.second, vae.activation, vae.likelihood, vae.input_range)


@torch.inference_mode()
def find_alternatives(vae: VAE, x: Tensor) -> list[Alternative]:
    """All other readings under which the network passes the check at load time.

    A reading is omitted if a subset of its changes reconstructs as well. Readings without an activation on outputs that
    are already within the range of the data come first, then the best reconstructions.

    Parameters
    ----------
    vae : VAE
    x : Tensor, shape (n, *input_shape)
        Inputs of the data.
    """
    declared = declared_reading(vae)
    passing = list(_passing(vae, x, declared))
    changes = [found.reading.changes(declared) for found in passing]
    needed = [
        found
        for found, own in zip(passing, changes, strict=True)
        if own
        and not any(
            less < own and other.explained > found.explained - _GAIN
            for other, less in zip(passing, changes, strict=True)
        )
    ]
    return sorted(needed, key=lambda found: (not found.is_plain, -found.explained))


def _passing(vae: VAE, x: Tensor, declared: Reading) -> Iterator[Alternative]:
    layouts: tuple[PosteriorLayout, ...] = ("chunk", "interleaved")
    seconds: tuple[PosteriorSecond, ...] = get_args(PosteriorSecond)
    if declared.layout == "point":
        seconds = (declared.second,)
    likelihoods: tuple[Likelihood, ...] = ("bernoulli", "gaussian")
    if vae.sigma == "learned":
        likelihoods = ("gaussian",)
    target = vae.target(x)
    mean = target.mean(0, keepdim=True).expand_as(target)
    for bounds in dict.fromkeys((declared.input_range, *RANGES)):
        with read_as(vae, replace(declared, input_range=bounds)):
            encoded = _tried(vae.encoder, vae.feed("encoder", vae.scale_input(x)))
            for layout in layouts if declared.layout in layouts else (declared.layout,):
                vae.layout = layout
                raw = None if encoded is None else _tried(_decoded, vae, encoded, x)
                if raw is None or not raw.isfinite().all():
                    continue
                finite = [second for second in seconds if _is_finite(vae, encoded, second)]
                squashed = lies_within(raw, bounds)
                for activation, likelihood in product(ACTIVATIONS, likelihoods):
                    vae.activation, vae.likelihood = activation, likelihood
                    output = vae.activate(raw)
                    # Nothing outside [0, 1] is a probability.
                    if likelihood == "bernoulli" and not lies_within(output, (0.0, 1.0)):
                        continue
                    cost = float(negative_log_likelihood(vae, output, x).mean())
                    limit = float(negative_log_likelihood(vae, mean, x).mean())
                    if cost < limit:
                        explained = explained_variance(output, target)
                        for second in finite:
                            reading = Reading(layout, second, activation, likelihood, bounds)
                            yield Alternative(reading, cost, limit, squashed, explained)


def _decoded(vae: VAE, encoded: Any, x: Tensor) -> Tensor:
    return vae.decode_raw(vae.pass_on(vae.split(encoded).mean), x)


def _tried(run: Callable[..., Any], *values: Any) -> Any:
    """The result of a call; None if it raises an exception."""
    try:
        return run(*values)
    except Exception as error:  # whatever a network raises for numbers that it was not trained on
        if is_out_of_memory(error):
            raise
        return None


def _is_finite(vae: VAE, encoded: Any, second: PosteriorSecond) -> bool:
    """Whether the posterior and its KL are finite when read with `second`."""
    vae.second = second
    posterior = vae.split(encoded)
    if posterior.is_point:
        return bool(posterior.mean.isfinite().all())
    return bool(channel_kl(posterior.mean, posterior.logvar).isfinite().all())


def explained_variance(output: Tensor, target: Tensor) -> float:
    """Share of the variance of `target`, (n, ...), over its samples that `output` explains; 1 at best."""
    spread = F.mse_loss(target.mean(0, keepdim=True).expand_as(target), target).clamp(min=1e-12)
    return 1.0 - float(F.mse_loss(output, target) / spread)


def lies_within(value: Tensor, bounds: tuple[float, float]) -> bool:
    """Whether all numbers are in a closed range, up to rounding."""
    slack = _SLACK * (bounds[1] - bounds[0])
    return bool(value.min() >= bounds[0] - slack and value.max() <= bounds[1] + slack)


def lies_far_outside(value: Tensor, bounds: tuple[float, float]) -> bool:
    """Whether more than 1 % of the numbers are outside a range by more than half its width."""
    margin = _FAR * (bounds[1] - bounds[0])
    outside = (value < bounds[0] - margin) | (value > bounds[1] + margin)
    return float(outside.float().mean()) > _MANY


@contextmanager
def read_as(vae: VAE, reading: Reading) -> Iterator[None]:
    """Apply another reading to a network inside the block."""
    before = declared_reading(vae)
    try:
        _apply(vae, reading)
        yield
    finally:
        _apply(vae, before)


def _apply(vae: VAE, reading: Reading) -> None:
    for field in fields(reading):
        setattr(vae, field.name, getattr(reading, field.name))
