"""VAEs with weights set by hand, of which every effect can be worked out on paper; docs/by-hand.md does so."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from causalvae.models.vae import VAE

# The log-variance of a latent that is as good as certain.
SURE = -12.0


def layer(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    """A linear layer with these weights."""
    made = nn.Linear(len(weight[0]), len(weight))
    made.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return made


def bent() -> VAE:
    """z = (relu(2a), relu(2a - 1)); g = (relu(z0 + z1 - 2), relu(z0 - z1)); the outcomes are g0 and g0 + g1."""
    encoder = nn.Sequential(
        layer([[2.0, 0.0], [2.0, 0.0]], [0.0, -1.0]),
        nn.ReLU(),
        layer([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [0.0, 0.0, SURE, SURE]),
    )
    decoder = nn.Sequential(
        layer([[1.0, 1.0], [1.0, -1.0]], [-2.0, 0.0]),
        nn.ReLU(),
        layer([[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0]),
    )
    return VAE(encoder, decoder, 2, (2,), activation="none", likelihood="gaussian")


class Product(nn.Module):
    """y = (z0 + z1 + 3 z0 z1, z2): what one latent does depends on the other."""

    def forward(self, z: Tensor) -> Tensor:
        """From latents, (n, 3), to rows of the table, (n, 2)."""
        return torch.stack([z[:, 0] + z[:, 1] + 3 * z[:, 0] * z[:, 1], z[:, 2]], dim=1)


def interacting() -> VAE:
    """z = (dose, dose + 0.3 place + noise of 0.3, place), and their product in the outcome."""
    weight = [[1.0, 0.0], [1.0, 0.3], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    encoder = layer(weight, [0.0, 0.0, 0.0, SURE, 2 * float(torch.tensor(0.3).log()), SURE])
    return VAE(encoder, Product(), 3, (2,), activation="none", likelihood="gaussian")
