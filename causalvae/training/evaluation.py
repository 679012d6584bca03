"""Evaluation of a network on samples not used for training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from causalvae.models.vae import VAE
from causalvae.training.losses import gaussian_kl, reconstruction_nll

_ROWS = 256


@dataclass(frozen=True)
class Evaluation:
    """Reconstruction and KL of a network, in nats per sample.

    Parameters
    ----------
    reconstruction : float
        Negative log-likelihood at the posterior mean.
    kl : tuple of float
        KL to the prior of each latent (channel of a latent map); empty if the encoder is deterministic.
    samples : int
    """

    reconstruction: float
    kl: tuple[float, ...]
    samples: int


@torch.no_grad()
def evaluate(vae: VAE, x: Tensor, device: torch.device | None = None) -> Evaluation:
    """Evaluate `vae` on samples, in evaluation mode; its mode is restored.

    Parameters
    ----------
    vae : VAE
    x : Tensor, shape (n, *input_shape)
    device : torch.device, optional
        Device of the network.
    """
    was_training = vae.training
    vae.eval()
    total, kl = 0.0, torch.zeros(vae.latent_dim, dtype=torch.float64)
    for part in x.split(_ROWS):
        batch = part.to(device)
        posterior = vae.encode(batch)
        output = vae.decode_raw(vae.pass_on(posterior.mean), batch)
        total += float(reconstruction_nll(vae, output, batch)) * len(batch)
        if not posterior.is_point:
            each = gaussian_kl(posterior)
            kl += each.reshape(len(each), -1).sum(1).double().cpu() * len(batch)
    vae.train(was_training)
    means = () if vae.is_point else tuple(round(float(value), 4) for value in kl / len(x))
    return Evaluation(total / len(x), means, len(x))
