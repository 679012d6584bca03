"""What a loaded network must show before its numbers mean anything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.models.network import channel_kl
from causalvae.models.vae import VAE


@dataclass(frozen=True)
class LoadCheck:
    """The load-time check's findings, in nats a sample.

    Parameters
    ----------
    reconstruction : float
        Negative log-likelihood at the posterior mean.
    mean_image : float
        The same of the best constant image, the mean of the inputs.
    kl : float or None
        KL to the prior, summed over latents; None where the encoder gives a point.
    images : int
    """

    reconstruction: float
    mean_image: float
    kl: float | None
    images: int


def negative_log_likelihood(vae: VAE, output: Tensor, x: Tensor) -> Tensor:
    """Of each input, or the part that outputs stand for, under its output, in nats: shape (batch,).

    A Gaussian likelihood's is a density's: it depends on the data's units, and is below zero where sigma is small.
    """
    x = vae.target(x)
    if vae.likelihood == "bernoulli":
        # Clamped as binary_cross_entropy clamps, so that a saturated wrong pixel costs 100 nats and not infinity.
        loss = F.binary_cross_entropy(output.clamp(0, 1), x, reduction="none")
    else:
        log_sigma = vae.log_sigma.detach().to(output)
        loss = 0.5 * ((output - x) * (-log_sigma).exp()).square() + log_sigma + 0.5 * math.log(2.0 * math.pi)
    return loss.flatten(1).double().sum(1)


@torch.inference_mode()
def check_model(vae: VAE, x: Tensor, untrained: bool = False) -> LoadCheck:
    """Hold a network against inputs of its data.

    Parameters
    ----------
    vae : VAE
    x : Tensor, shape (n, *input_shape)
        Inputs drawn from the data.
    untrained : bool
        Whether the weights are not meant to reconstruct. The controls then show that they do not, and nothing is
        refused for it.

    Raises
    ------
    CausalVAEError
        CV104 where the shapes do not fit; CV105 where two passes differ; CV106 where values are not finite; CV107 where
        reconstructions are worse than the mean image's.
    """
    vae.eval()
    check_shape(vae, x)
    posterior = vae.encode(x)
    output = vae.decode(vae.pass_on(posterior.mean), x)
    again = vae(x)
    # Values that are no numbers differ from themselves, and are a fault of another kind.
    if not torch.equal(output.nan_to_num(), again.nan_to_num()):
        raise CausalVAEError(
            "CV105",
            "two passes over the same inputs differ in evaluation mode.",
            "Draw noise outside the network; dropout must obey model.eval().",
            "model",
        )
    kl = None
    if not posterior.is_point:
        kl = float(channel_kl(posterior.mean, posterior.logvar).double().sum(1).mean())
    if not (torch.isfinite(output).all() and math.isfinite(kl or 0.0) and torch.isfinite(posterior.mean).all()):
        raise CausalVAEError(
            "CV106",
            "the posterior or the output is not finite.",
            _remedy(vae, x, math.inf),
            "model.posterior",
        )
    reconstruction = _cost(vae, output, x)
    constant = vae.target(x).mean(0, keepdim=True).expand_as(output)
    mean_image = _cost(vae, constant, x)
    if not reconstruction < mean_image and not untrained:
        raise CausalVAEError(
            "CV107",
            f"reconstructions cost {reconstruction:,.1f} nats a sample, more than the mean input's {mean_image:,.1f}: "
            "the weights are not read as they were trained, or not trained on such data.",
            _remedy(vae, x, mean_image),
            "model.posterior",
        )
    return LoadCheck(reconstruction, mean_image, kl, len(x))


def check_shape(vae: VAE, x: Tensor) -> None:
    """Raise CV104 unless the network takes samples of the shape of `x`, (n, *input_shape)."""
    if tuple(x.shape[1:]) != tuple(vae.input_shape):
        raise CausalVAEError(
            "CV104",
            f"the network takes inputs of shape {tuple(vae.input_shape)}, the data gives {tuple(x.shape[1:])}.",
            "Choose data that the network was trained on.",
            "model",
        )


def _cost(vae: VAE, output: Tensor, x: Tensor) -> float:
    return float(negative_log_likelihood(vae, output, x).mean())


def _remedy(vae: VAE, x: Tensor, limit: float) -> str:
    """What to declare instead, where another reading of the network costs less than `limit`; else what to check."""
    costs = {said: cost for said, cost in _other_readings(vae, x) if cost < limit}
    if costs:
        said = min(costs, key=costs.__getitem__)
        return f"Read with `{said}` they cost {costs[said]:,.1f}: if the network was trained so, declare it."
    tried = "no other layout, activation or range of inputs does better"
    return (
        f"Check that the data is what the network was trained on ({tried}); for weights that are not meant to "
        "reconstruct write `untrained: true`."
    )


def _other_readings(vae: VAE, x: Tensor) -> Iterator[tuple[str, float]]:
    """Other declarations, one changed at a time, each with what reconstructions then cost."""
    said = {
        "layout": "posterior: {{layout: {}}}",
        "activation": "output: {{activation: {}}}",
        "input_range": "input_range: [{0[0]:g}, {0[1]:g}]",
    }
    others: dict[str, tuple[Any, ...]] = {
        "layout": ("chunk", "interleaved") if vae.layout in ("chunk", "interleaved") else (),
        "activation": ("none", "sigmoid", "tanh"),
        "input_range": ((0.0, 1.0), (-1.0, 1.0)),
    }
    for key, choices in others.items():
        declared = getattr(vae, key)
        for choice in choices:
            if choice != declared:
                setattr(vae, key, choice)
                output = vae(x)
                yield said[key].format(choice), _cost(vae, output, x) if output.isfinite().all() else math.inf
        setattr(vae, key, declared)
