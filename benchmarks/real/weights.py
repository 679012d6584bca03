"""Random weights under which a network passes its signal on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from benchmarks.networks import amplify
from causalvae.models.vae import VAE


def settle(make: Callable[[], VAE]) -> VAE:
    """A network with seeded weights, and with running statistics as after training, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = make()
        amplify(vae)
        for layer in vae.modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                layer.running_mean = 0.1 * torch.randn(layer.num_features)
                layer.running_var = 0.5 + torch.rand(layer.num_features)
    return vae.eval()
