"""Penalties on the moments of the aggregate posterior and on its distance to the prior."""

from __future__ import annotations

import torch
from torch import Tensor

from causalvae.models.vae import Posterior


def mean_covariance(posterior: Posterior) -> Tensor:
    """Covariance of the posterior means over the batch, divided by its size, (latent_dim, latent_dim)."""
    centred = posterior.mean - posterior.mean.mean(0)
    return centred.T @ centred / len(centred)


def aggregate_covariance(posterior: Posterior) -> Tensor:
    """Covariance of the aggregate posterior: that of the means plus the mean variances on the diagonal."""
    return mean_covariance(posterior) + torch.diag(posterior.logvar.exp().mean(0))


def disentangled_prior(covariance: Tensor, off_diagonal: float, diagonal: float) -> Tensor:
    """Distance of a covariance to the identity, Kumar et al. 2018 (arXiv 1711.00848), equation 5.

    off_diagonal * sum over i != j of C_ij ** 2 + diagonal * sum over i of (C_ii - 1) ** 2.
    """
    variances = covariance.diagonal()
    apart = covariance.square().sum() - variances.square().sum()
    return off_diagonal * apart + diagonal * (variances - 1.0).square().sum()


def maximum_mean_discrepancy(z: Tensor, prior: Tensor, bandwidth: float) -> Tensor:
    """Unbiased squared maximum mean discrepancy of two samples with a Gaussian kernel (Gretton et al. 2012).

    Parameters
    ----------
    z, prior : Tensor, shape (n, latent_dim)
        At least two rows each.
    bandwidth : float
        The kernel is exp(-||a - b||^2 / (2 bandwidth^2)).

    Returns
    -------
    Tensor
        A scalar; possibly negative, since its mean is 0 for equal distributions.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        distance = (a[:, None] - b[None]).square().sum(2)
        return torch.exp(-distance / (2.0 * bandwidth**2))

    def within(a: Tensor) -> Tensor:
        n = len(a)
        # Without the diagonal, which is 1.
        return (kernel(a, a).sum() - n) / (n * (n - 1))

    return within(z) + within(prior) - 2.0 * kernel(z, prior).mean()
