"""Finds the shape of a network's latent, a vector or a map of channels, by running the network."""

from __future__ import annotations

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError, first_line
from causalvae.models.probe_inputs import stand_in_inputs
from causalvae.models.purity import copy_or_none
from causalvae.models.vae import VAE

_ROWS = 3


@torch.inference_mode()
def fit_latent(vae: VAE, inputs: Tensor | None = None) -> VAE:
    """Set the latent shape of a network from one pass, and check that all shapes fit.

    Parameters
    ----------
    vae : VAE
        Its `latent_shape` is set. `latent_dim` is the number of latents, or of channels if the latent is a map.
    inputs : Tensor, shape (n, *input_shape), optional
        Samples of the data; see `stand_in_inputs` if omitted.

    Raises
    ------
    CausalVAEError
        CV130 where encoder or decoder do not take the data's shape, the posterior cannot be read as declared, or the
        number of latents is another than declared.
    """
    was_training = vae.training
    vae.eval()
    # A copy is run, since `check_purity` needs a network that has not been run.
    run = copy_or_none(vae) or vae
    if inputs is None or tuple(inputs.shape[1:]) != tuple(vae.input_shape):
        # The network may declare its own input shape; `check_shape` compares it with the data.
        inputs = stand_in_inputs(vae.input_shape)
    x = inputs.float().repeat(_ROWS, *(1 for _ in vae.input_shape))[:_ROWS]
    shape = " x ".join(map(str, vae.input_shape))
    try:
        encoded = run.encoder(run.scale_input(x.clone()))
    except Exception as error:  # whatever a network raises for a shape that it does not take
        raise _unfit(
            f"the encoder does not take inputs of shape {shape}: {first_line(error)}",
            "Choose data of the shape that the network was trained on.",
        ) from error
    mean = _read_mean(vae, encoded)
    if mean.shape[1] != vae.latent_dim:
        form = f"a map of {mean.shape[1]} channels" if mean.ndim > 2 else f"{mean.shape[1]} latents"
        raise _unfit(f"the encoder gives {form}, the spec says {vae.latent_dim}", f"Write latent_dim: {mean.shape[1]}.")
    vae.latent_shape = tuple(mean.shape[1:])
    try:
        output = run.decode(run.pass_on(mean), x.clone())
    except Exception as error:  # whatever a network raises for a shape that it does not take
        raise _unfit(
            f"the decoder does not take latents of shape {' x '.join(map(str, vae.latent_shape))}: {first_line(error)}",
            "Check that encoder and decoder belong together, and model.posterior.",
        ) from error
    if not isinstance(output, Tensor) or tuple(output.shape) != (_ROWS, *vae.output_shape):
        given = " x ".join(map(str, output.shape[1:])) if isinstance(output, Tensor) else type(output).__name__
        raise _unfit(
            f"the decoder gives {given} and the inputs are {shape}",
            "Let the decoder return one tensor of the inputs' shape.",
        )
    vae.train(was_training)
    return vae


def _read_mean(vae: VAE, encoded: object) -> Tensor:
    halves = encoded if isinstance(encoded, tuple | list) else (encoded,)
    tensors = [half for half in halves if isinstance(half, Tensor) and half.ndim >= 2 and len(half) == _ROWS]
    whole = isinstance(encoded, Tensor)
    if vae.is_point and whole and len(tensors) == 1:
        return tensors[0]
    pair = len(halves) == 2 and not vae.is_point
    if len(tensors) == len(halves) and (pair or (whole and vae.layout in ("chunk", "interleaved"))):
        channels = tensors[0].shape[1]
        if not whole or channels == 2 * vae.latent_dim or (vae.layout == "chunk" and channels % 2 == 0):
            posterior = vae.split(tensors[0] if whole else (tensors[0], tensors[1]))
            if posterior.mean.shape == posterior.logvar.shape:
                return posterior.mean
    said = [f"{tuple(half.shape[1:])}" if isinstance(half, Tensor) else type(half).__name__ for half in halves]
    wanted = {
        "chunk": f"one tensor with {2 * vae.latent_dim} latents or channels",
        "interleaved": f"one tensor with {2 * vae.latent_dim} latents or channels",
        "heads": "two tensors of one shape",
        "point": "one tensor",
    }[vae.layout]
    raise _unfit(
        f"the encoder gives {' and '.join(said)}, and a posterior read as {vae.layout} is {wanted}",
        "Check model.posterior.layout and model.latent_dim; write a wrapper for an encoder that returns more.",
    )


def _unfit(what: str, remedy: str) -> CausalVAEError:
    return CausalVAEError("CV130", f"{what}.", remedy, "model")
