"""The graph-aware causal discrepancy VAE as one of this package's VAEs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.vae import VAE
from causalvae_neighbours.grace.causal_layer import CausalLayer
from causalvae_neighbours.grace.graph_convolution import GraphEncoder, normalise_adjacency
from causalvae_neighbours.grace.simulation import Mechanism

_CHANNELS = 4
_HIDDEN = 64


class LinearDecoder(nn.Module):
    """Each gene's logit as a weighted sum of the latents."""

    def __init__(self, latent_dim: int, genes: int) -> None:
        super().__init__()
        self.genes = nn.Linear(latent_dim, genes)

    def forward(self, z: Tensor) -> Tensor:
        """Logits, (batch, genes), of latents, (batch, latent_dim)."""
        logits: Tensor = self.genes(z)
        return logits


def grace_vae(
    network: Tensor,
    latent_dim: int,
    directions: Tensor,
    mechanism: Mechanism = "linear",
    channels: int = _CHANNELS,
    hidden: int = _HIDDEN,
) -> VAE:
    """The network with fresh weights.

    Parameters
    ----------
    network : Tensor, shape (genes, genes)
        The gene network: symmetric, zero on the diagonal. All zeros make an encoder of the same size that knows no
        graph.
    latent_dim : int
        Nodes of the causal layer.
    directions : Tensor, shape (guides,)
        See `PerturbationEncoder`.
    mechanism : {"linear", "relu", "tanh"}
        Of the causal layer.
    channels, hidden : int
        Of the encoder.

    Raises
    ------
    CausalVAEError
        CV138 where `network` is no symmetric matrix of zeros and ones with an empty diagonal.
    """
    _refuse_other_networks(network)
    genes = len(network)
    return VAE(
        GraphEncoder(normalise_adjacency(network), latent_dim, channels, hidden),
        LinearDecoder(latent_dim, genes),
        latent_dim,
        (genes,),
        activation="sigmoid",
        likelihood="gaussian",
        latent_layer=CausalLayer(latent_dim, mechanism, directions),
        sigma="learned",
    )


def build_grace(described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
    """The network that weights of this architecture belong to, before they are read into it.

    The gene network and the guides' directions are buffers, so they come with the weights.

    Parameters
    ----------
    described : mapping
        ``latent_dim``, ``guides`` and, where they are not the defaults, ``mechanism``, ``channels`` and ``hidden``.
    input_shape : tuple of int
        (genes,).

    Raises
    ------
    CausalVAEError
        CV139 where the inputs are no vectors of genes.
    """
    if len(input_shape) != 1:
        raise CausalVAEError(
            "CV139",
            f"the architecture grace takes one number a gene; these inputs have shape {input_shape}.",
            "Use it with data of the source perturbations.",
            "model.name",
        )
    genes = input_shape[0]
    return grace_vae(
        torch.zeros(genes, genes),
        int(described["latent_dim"]),
        torch.ones(int(described.get("guides", 0))),
        described.get("mechanism", "linear"),
        int(described.get("channels", _CHANNELS)),
        int(described.get("hidden", _HIDDEN)),
    )


def causal_layer_of(vae: VAE) -> CausalLayer:
    """The causal layer of a `grace_vae`."""
    layer = vae.latent_layer
    if not isinstance(layer, CausalLayer):
        raise TypeError(f"{type(layer).__name__} is no causal layer")
    return layer


def _refuse_other_networks(network: Tensor) -> None:
    square = network.ndim == 2 and network.shape[0] == network.shape[1]
    values = network.to(torch.float32)
    fine = square and bool(
        torch.equal(values, values.T) and not values.diagonal().any() and torch.equal(values, values.bool().float())
    )
    if not fine:
        raise CausalVAEError(
            "CV138",
            "a gene network is a symmetric matrix of zeros and ones with an empty diagonal.",
            "Give one row and one column a gene, and every edge in both directions.",
            "model",
        )
