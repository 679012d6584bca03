"""Checks of a loaded network: shapes, finite values, deterministic passes and reconstruction."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.models.likelihood import negative_log_likelihood
from causalvae.models.network import channel_kl
from causalvae.models.purity import equal
from causalvae.models.readings import (
    ACTIVATIONS,
    RANGES,
    MisreadError,
    Reading,
    declared_reading,
    explained_variance,
    find_alternatives,
    lies_far_outside,
    lies_within,
    read_as,
)
from causalvae.models.vae import VAE

# Rows that are run twice, to see whether passes differ.
_REPEATED = 16


@dataclass(frozen=True)
class LoadCheck:
    """Result of the check at load time, in nats per sample.

    Parameters
    ----------
    reconstruction : float
        Negative log-likelihood at the posterior mean.
    mean_image : float
        The same for the mean of the inputs, the best constant image.
    kl : float or None
        KL to the prior, summed over latents; None if the encoder is deterministic.
    images : int
    """

    reconstruction: float
    mean_image: float
    kl: float | None
    images: int


@torch.inference_mode()
def check_model(vae: VAE, x: Tensor, must_reconstruct: bool = True, rescaled: bool = False) -> LoadCheck:
    """Check a network on inputs of its data.

    Parameters
    ----------
    vae : VAE
    x : Tensor, shape (n, *input_shape)
        Inputs drawn from the data.
    must_reconstruct : bool
        Whether to raise an error if the network reconstructs worse than the mean image. If False, the controls of the
        run report the reconstruction error.
    rescaled : bool
        Whether the numbers of the data were mapped to [0, 1] by a range that was found in them.

    Raises
    ------
    CausalVAEError
        CV104 if the shapes do not fit; CV105 if two passes differ; CV106 if values are not finite; CV107 where
        reconstructions are worse than the mean image's, or the declared activation does not fit the outputs.
    """
    vae.eval()
    check_shape(vae, x)
    _check_finite(vae)
    few = x[:_REPEATED]
    if not equal(vae(few), vae(few)):
        raise CausalVAEError(
            "CV105",
            "two passes over the same inputs differ in evaluation mode.",
            "Draw noise outside the network; switch dropout off in model.eval().",
            "model",
        )
    posterior = vae.encode(x)
    raw = vae.decode_raw(vae.pass_on(posterior.mean), x)
    output = vae.activate(raw)
    kl = None
    if vae.second in ("var", "std") and not posterior.is_point and posterior.logvar.isnan().any():
        word = "variance" if vae.second == "var" else "standard deviation"
        told = _misread(vae, x, rescaled, "CV106", f"the posterior's {word} is negative for some inputs.")
        told.place = "model.posterior.second"
        told.remedy += (
            " If the network samples with a softplus or an exponential of it, let the encoder return that instead."
        )
        raise told
    if not posterior.is_point:
        kl = float(channel_kl(posterior.mean, posterior.logvar).double().sum(1).mean())
    if not (torch.isfinite(output).all() and math.isfinite(kl or 0.0) and torch.isfinite(posterior.mean).all()):
        raise _misread(vae, x, rescaled, "CV106", "the posterior or the output is not finite.")
    reconstruction = _cost(vae, output, x)
    constant = vae.target(x).mean(0, keepdim=True).expand_as(output)
    mean_image = _cost(vae, constant, x)
    if not must_reconstruct:
        return LoadCheck(reconstruction, mean_image, kl, len(x))
    if not reconstruction < mean_image:
        raise _misread(
            vae,
            x,
            rescaled,
            "CV107",
            f"reconstructions cost {reconstruction:,.1f} nats a sample, more than the mean input's {mean_image:,.1f}: "
            "the network was trained with other settings, or on other data.",
        )
    _check_activation(vae, x, raw)
    return LoadCheck(reconstruction, mean_image, kl, len(x))


def check_shape(vae: VAE, x: Tensor) -> None:
    """Raise CV104 unless the network takes samples of the shape of `x`, (n, *input_shape)."""
    if tuple(x.shape[1:]) != tuple(vae.input_shape):
        raise CausalVAEError(
            "CV104",
            f"the network takes inputs of shape {tuple(vae.input_shape)}, the data give {tuple(x.shape[1:])}.",
            "Choose data that the network was trained on.",
            "model",
        )


def _cost(vae: VAE, output: Tensor, x: Tensor) -> float:
    return float(negative_log_likelihood(vae, output, x).mean())


def _misread(vae: VAE, x: Tensor, rescaled: bool, code: str, message: str) -> CausalVAEError:
    """The error for a network that does not reconstruct, listing the declarations under which it does."""
    found = find_alternatives(vae, x)
    if not found:
        scale = (
            "The data were mapped to [0, 1], since the default of `data.scale` is `found`: write `scale: none` if the "
            "network was trained on their own numbers. "
        )
        remedy = (
            f"{scale if rescaled else ''}Check that the network was trained on these data (no other layout, "
            "activation, likelihood or range of inputs reconstructs it)."
        )
        if code != "CV106":
            # Numbers that are not finite are refused whatever the network is meant for.
            remedy += (
                " For data of another kind write `out_of_distribution: true`, for weights that are not meant to "
                "reconstruct `untrained: true`."
            )
        return CausalVAEError(code, message, remedy, "model")
    declared = declared_reading(vae)
    said = []
    for alternative in found:
        note = "; the decoder's outputs already lie in the range of the data" if alternative.is_plain else ""
        said.append(
            f"`{alternative.reading.words(declared)}` ({alternative.cost:,.1f} nats, the mean input "
            f"{alternative.mean_image:,.1f}{note})"
        )
    error = MisreadError(
        code,
        message,
        f"It reconstructs the data with {'; or '.join(said)}. Declare under `model` how it was trained.",
        "model",
    )
    error.sections = tuple(alternative.reading.section(declared) for alternative in found)
    return error


def _check_finite(vae: VAE) -> None:
    """Raise CV106 if a parameter is not finite or a buffer is NaN.

    A bounded activation can hide an infinite weight. Infinity in a buffer can be valid: attention masks contain it.
    """
    odd = [name for name, value in vae.named_parameters() if not value.isfinite().all()]
    odd += [name for name, value in vae.named_buffers() if value.is_floating_point() and value.isnan().any()]
    if odd:
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        raise CausalVAEError(
            "CV106",
            f"weights of the network are not finite (NaN or infinity): {', '.join(odd[:3])}{more}.",
            "Load weights from before the training diverged, or train again with a smaller learning rate.",
            "model",
        )


def _check_activation(vae: VAE, x: Tensor, raw: Tensor) -> None:
    """Raise CV107 if an activation is applied twice or is missing.

    Such a network can still reconstruct better than the mean image (a sigmoid of a sigmoid does), but all effects are
    then too small. A declaration is refused if it does not fit the range of the outputs and another one fits better.
    """
    declared = declared_reading(vae)
    others: list[Reading] = []
    if vae.activation != "none":
        ranges = [bounds for bounds in dict.fromkeys((vae.input_range, *RANGES)) if lies_within(raw, bounds)]
        others = [replace(declared, activation="none", input_range=bounds) for bounds in ranges]
    if lies_within(vae.target(x), (0.0, 1.0)) and lies_far_outside(vae.activate(raw), (0.0, 1.0)):
        others += [replace(declared, activation=activation) for activation in ACTIVATIONS]
    # Compared by variance, since the likelihood clamps outputs outside [0, 1].
    explained = explained_variance(vae.activate(raw), vae.target(x))
    found: dict[Reading, float] = {}
    for other in others:
        with read_as(vae, other):
            found[other] = explained_variance(vae(x), vae.target(x))
    best = max(found, key=found.__getitem__, default=declared)
    if found.get(best, explained) > explained:
        misread = MisreadError(
            "CV107",
            f"the decoder's outputs range from {float(raw.min()):.3g} to {float(raw.max()):.3g}, which `activation: "
            f"{vae.activation}` does not fit: reconstructions explain {explained:.1%} of the variance of the data, and "
            f"{found[best]:.1%} if read with `{best.words(declared)}`.",
            f"Write `{best.words(declared)}` under model.",
            "model.output",
        )
        misread.sections = (best.section(declared),)
        raise misread
