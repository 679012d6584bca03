"""A VAE without an encoder: the latents of every sample are parameters of their own.

After Wei, Sun & Zhang 2024 (Half-VAE, arXiv 2409.04140) and Wei & Sun 2025 (Half-AVAE, arXiv 2506.07011). The table
below gives each sample's posterior by the sample's number, which its input carries; so it stands where an encoder
stands, and its output can be read and patched as an encoder's can.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.vae import VAE, Sigma

_FIRST_LOGVAR = -4.0
# So small that samples are alike before training: an untrained network shows no effect of anything.
_FIRST_SPREAD = 0.01


class LatentTable(nn.Module):
    """Posterior parameters of each sample, found by the fraction in the last column of its input.

    Parameters
    ----------
    samples : int
    latent_dim : int

    Attributes
    ----------
    table : Parameter, shape (samples, 2 * latent_dim)
        All means, then all log-variances.
    """

    def __init__(self, samples: int, latent_dim: int) -> None:
        super().__init__()
        self.samples = samples
        self.latent_dim = latent_dim
        self.table = nn.Parameter(torch.empty(samples, 2 * latent_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Means of all but 0, log-variances of -4."""
        with torch.no_grad():
            self.table[:, : self.latent_dim].normal_(0.0, _FIRST_SPREAD)
            self.table[:, self.latent_dim :].fill_(_FIRST_LOGVAR)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latent_dim), of inputs whose last column is (number + 1/2) / samples."""
        number = (x[:, -1] * self.samples).long().clamp(0, self.samples - 1)
        return F.embedding(number, self.table)


class MixingDecoder(nn.Module):
    """A linear mixture of the latents, each with a direction of length 1.

    Parameters
    ----------
    latent_dim : int
    outputs : int

    Notes
    -----
    A latent's scale and its direction's length cannot be distinguished, so the length is fixed. Two outputs begin with
    directions evenly spaced over the half turn in which sources differ (its sign is not determined either), in a random
    order.
    """

    def __init__(self, latent_dim: int, outputs: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.empty(outputs, latent_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Random directions; of two outputs evenly spaced ones from a random start."""
        outputs, latents = self.direction.shape
        with torch.no_grad():
            if outputs == 2:
                angle = torch.pi * (torch.randperm(latents) / latents + torch.rand(1))
                self.direction.copy_(torch.stack([angle.cos(), angle.sin()]))
            else:
                self.direction.normal_()

    @property
    def matrix(self) -> Tensor:
        """The mixing matrix, (outputs, latent_dim), with columns of length 1."""
        matrix: Tensor = self.direction / self.direction.norm(dim=0, keepdim=True)
        return matrix

    def forward(self, z: Tensor) -> Tensor:
        """Mixtures, (batch, outputs)."""
        return F.linear(z, self.matrix)


def encoder_free(input_shape: tuple[int, ...], latent_dim: int, samples: int | None, sigma: Sigma = 1.0) -> VAE:
    """The network with fresh parameters.

    Parameters
    ----------
    input_shape : tuple of int
        (mixtures + 1,): the last column tells the sample.
    latent_dim : int
        Number of sources.
    samples : int
        Number of samples.
    sigma : float or "learned"
        Standard deviation of the mixtures' noise.

    Raises
    ------
    CausalVAEError
        CV136 for inputs without mixtures or a number of samples that is not known.
    """
    if len(input_shape) != 1 or input_shape[0] < 2 or not samples:
        raise CausalVAEError(
            "CV136",
            f"the architecture encoder_free takes rows of mixtures and the sample's number; these inputs have shape "
            f"{input_shape}, and there are {samples or 'endlessly'} many samples.",
            "Use data of that kind, such as `source: mixtures`.",
            "model.architecture",
        )
    outputs = input_shape[0] - 1
    return VAE(
        LatentTable(samples, latent_dim),
        MixingDecoder(latent_dim, outputs),
        latent_dim,
        input_shape,
        activation="none",
        likelihood="gaussian",
        output_shape=(outputs,),
        sigma=sigma,
    )
