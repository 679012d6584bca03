"""The negative log-likelihood of data under a network's outputs."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from causalvae.models.vae import VAE


def negative_log_likelihood(vae: VAE, output: Tensor, x: Tensor) -> Tensor:
    """Negative log-likelihood of `vae.target(x)` under each output, in nats: shape (batch,).

    For a Gaussian likelihood this is a density: it depends on the units of the data and can be negative.
    """
    x = vae.target(x)
    if vae.likelihood == "bernoulli":
        # binary_cross_entropy clamps, so a saturated wrong pixel costs 100 nats instead of infinity.
        loss = F.binary_cross_entropy(output.clamp(0, 1), x, reduction="none")
    else:
        log_sigma = vae.log_sigma.detach().to(output)
        loss = 0.5 * ((output - x) * (-log_sigma).exp()).square() + log_sigma + 0.5 * math.log(2.0 * math.pi)
    return loss.flatten(1).double().sum(1)
