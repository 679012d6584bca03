"""Message passing along a known gene network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def normalise_adjacency(network: Tensor) -> Tensor:
    """D^-1/2 (N + I) D^-1/2, D the degrees of N + I (Kipf & Welling 2017, arXiv 1609.02907).

    Parameters
    ----------
    network : Tensor, shape (genes, genes)
        Symmetric, zero on the diagonal; any dtype in which one means an edge.
    """
    joined = network.to(torch.float32) + torch.eye(len(network))
    root = joined.sum(1).rsqrt()
    return root[:, None] * joined * root[None, :]


class GraphConvolution(nn.Module):
    """Each gene's channels, averaged with its neighbours' and mixed by one matrix for all genes: N_hat X W + b.

    Parameters
    ----------
    adjacency : Tensor, shape (genes, genes)
        Normalised; see `normalise_adjacency`.
    inputs, outputs : int
        Channels.
    """

    adjacency: Tensor

    def __init__(self, adjacency: Tensor, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency.clone())
        self.mix = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (batch, genes, outputs) from (batch, genes, inputs)."""
        # The adjacency is symmetric; genes last makes the average one matrix product for the whole batch.
        averaged = torch.matmul(x.transpose(1, 2), self.adjacency).transpose(1, 2)
        mixed: Tensor = self.mix(averaged)
        return mixed


class GraphEncoder(nn.Module):
    """Graph convolutions over the genes, then linear layers over all of them to the posterior of the exogenous noise.

    Parameters
    ----------
    adjacency : Tensor, shape (genes, genes)
        Normalised; the identity makes an encoder of the same size that knows no graph.
    latent_dim : int
    channels : int
        Of both convolutions.
    hidden : int
        Units of the layer that sees all genes.
    """

    def __init__(self, adjacency: Tensor, latent_dim: int, channels: int = 4, hidden: int = 64) -> None:
        super().__init__()
        self.conv1 = GraphConvolution(adjacency, 1, channels)
        self.conv2 = GraphConvolution(adjacency, channels, channels)
        self.lin = nn.Linear(len(adjacency) * channels, hidden)
        self.head = nn.Linear(hidden, 2 * latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latent_dim), all means first, from expression, (batch, genes)."""
        h = torch.tanh(self.conv1(x[:, :, None] - 0.5))
        h = torch.tanh(self.conv2(h))
        h = torch.relu(self.lin(h.flatten(1)))
        parameters: Tensor = self.head(h)
        return parameters
