"""What data cost under a network's outputs."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from causalvae.models.vae import VAE


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
