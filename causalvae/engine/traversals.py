"""Outputs as one latent is set to one value after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from causalvae.models.network import channel_means
from causalvae.models.vae import VAE


def decode_steps(vae: VAE, own: Tensor, x: Tensor | None, latent: int, values: Tensor) -> Tensor:
    """The outputs of one sample with a latent set to each of `values`, (len(values), *output_shape).

    Parameters
    ----------
    vae : VAE
    own : Tensor, shape (1, *latent_shape)
        The sample's latents.
    x : Tensor, shape (1, *input_shape), or None
        Its input, where the decoder reads it.
    latent : int
    values : Tensor, shape (steps,)
    """
    z = own.repeat(len(values), *[1] * (own.ndim - 1))
    if own.ndim > 2:
        # A map keeps its form: the whole channel moves until its mean is the value.
        shift = values - channel_means(own)[:, latent]
        values = own[:, latent] + shift.reshape(-1, *[1] * (own.ndim - 2))
    z[:, latent] = values
    return vae.decode(z, None if x is None else x.expand(len(z), *x.shape[1:]))


def quantile_values(latents: Tensor, latent: int, quantiles: tuple[float, ...]) -> Tensor:
    """Quantiles of a latent over samples, (samples, latents): (quantiles,)."""
    return torch.quantile(latents[:, latent], torch.tensor(quantiles, device=latents.device))
