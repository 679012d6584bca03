"""A VAE of bits, such as measured spins, whose decoder gives a probability to every configuration, bit by bit.

After de Schoulepnikoff, Munoz-Gil, Poulsen Nautrup & Briegel 2025 (arXiv 2506.11982): a decoder whose outputs are
independent given the latent cannot give the correlations of a quantum state, so theirs is autoregressive,
p(x | z) = prod_i p(x_i | x_1 ... x_(i-1), z). Here that is a masked perceptron (MADE, Germain et al. 2015, arXiv
1502.03509) with the latent added to every layer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.perceptron import Perceptron
from causalvae.models.vae import VAE, Likelihood


class MaskedLinear(nn.Linear):
    """A linear layer some of whose weights count as zero.

    Parameters
    ----------
    mask : Tensor, shape (outputs, inputs)
        1 where a weight counts.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (batch, outputs)."""
        return F.linear(x, self.weight * self.mask, self.bias)


class AutoregressiveDecoder(nn.Module):
    """Logits of each bit given the bits before it and the latent, all in one pass over a known configuration.

    Parameters
    ----------
    bits, latent_dim : int
    width : int
        Hidden units, shared out evenly: unit h sees the latent and the first h mod `bits` bits.

    Notes
    -----
    Logit i depends on the latent and on bits 1 ... i - 1 alone; a test takes the gradient.
    """

    def __init__(self, bits: int, latent_dim: int, width: int) -> None:
        super().__init__()
        seen = torch.arange(width) % bits
        place = torch.arange(bits)
        self.context = MaskedLinear((place[None, :] < seen[:, None]).float())
        self.latent = nn.Linear(latent_dim, width, bias=False)
        self.head = MaskedLinear((seen[None, :] <= place[:, None]).float())
        self.shift = nn.Linear(latent_dim, bits, bias=False)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """Logits of the bits, (batch, bits).

        Parameters
        ----------
        z : Tensor, shape (batch, latent_dim)
        x : Tensor, shape (batch, bits)
            The configuration, zeros and ones.
        """
        hidden = torch.relu(self.context(2.0 * x - 1.0) + self.latent(z))
        logits: Tensor = self.head(hidden) + self.shift(z)
        return logits


def autoregressive(
    input_shape: tuple[int, ...],
    latent_dim: int,
    hidden: tuple[int, ...] = (64, 64),
    width: int = 128,
    likelihood: Likelihood = "bernoulli",
) -> VAE:
    """The network with fresh weights.

    Parameters
    ----------
    input_shape : tuple of int
        (bits,).
    latent_dim : int
    hidden : tuple of int
        Widths of the encoder's hidden layers.
    width : int
        Hidden units of the decoder.
    likelihood : {"bernoulli"}
        Of a bit.

    Raises
    ------
    CausalVAEError
        CV135 for inputs that are no row of two or more bits, and for another likelihood.
    """
    if len(input_shape) != 1 or input_shape[0] < 2:
        raise CausalVAEError(
            "CV135",
            f"the architecture autoregressive takes rows of two or more bits; these inputs have shape {input_shape}.",
            "Choose another architecture, or data of that shape, such as `source: ising`.",
            "model.architecture",
        )
    if likelihood != "bernoulli":
        raise CausalVAEError(
            "CV135",
            f"the architecture autoregressive gives probabilities of bits, which have no {likelihood} likelihood.",
            "Write `likelihood: bernoulli`.",
            "model.likelihood",
        )
    return VAE(
        Perceptron(input_shape, hidden, (2 * latent_dim,)),
        AutoregressiveDecoder(input_shape[0], latent_dim, width),
        latent_dim,
        input_shape,
        activation="sigmoid",
        likelihood="bernoulli",
        decoder_reads_input=True,
    )
