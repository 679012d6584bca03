"""The losses of the VAE family as functions of a posterior and a sample.

All terms are in nats per image. `loss` is minimised; the other terms are its parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from causalvae.models.vae import VAE, Posterior
from causalvae.spec.objective_section import PenaltySection

Terms = dict[str, Tensor]


def gaussian_kl(posterior: Posterior) -> Tensor:
    """KL(q(z|x) || N(0, I)) of each latent in nats, averaged over the batch, (latent_dim,)."""
    mean, logvar = posterior.mean, posterior.logvar
    return (0.5 * (mean.square() + logvar.exp() - 1.0 - logvar)).mean(0)


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """Bernoulli negative log-likelihood of `x`, summed over pixels and averaged over the batch, in nats."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def gaussian_nll(mean: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
    """Negative log-density of `x` under N(mean, sigma^2 I), summed over a sample and averaged over the batch, in nats.

    1/2 ((x - mean) / sigma)^2 + log sigma + 1/2 log 2 pi per number; `log_sigma` is a scalar.
    """
    squares = (x - mean).square().sum() / len(x)
    numbers = x[0].numel()
    return 0.5 * squares * (-2.0 * log_sigma).exp() + numbers * (log_sigma + 0.5 * math.log(2.0 * math.pi))


def reconstruction_nll(vae: VAE, output: Tensor, x: Tensor) -> Tensor:
    """Negative log-likelihood of the data, or its reconstructed part, given the decoder's output before activation.

    A scalar in nats per sample, averaged over the batch.

    Parameters
    ----------
    vae : VAE
        Its likelihood is used; for a Bernoulli one the output is logits.
    output : Tensor, shape (batch, *output_shape)
    x : Tensor, shape (batch, *input_shape)
    """
    x = vae.target(x)
    if vae.likelihood == "bernoulli":
        return bernoulli_nll(output, x)
    return gaussian_nll(vae.activate(output), x, vae.log_sigma)


def total_correlation(posterior: Posterior, z: Tensor, dataset_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The decomposition of the KL by Chen et al., with minibatch-stratified sampling (arXiv 1802.04942, appendix C.2).

    Parameters
    ----------
    posterior : Posterior
        The posterior of a batch of at least two images.
    z : Tensor, shape (batch, latent_dim)
        One sample of each posterior.
    dataset_size : int
        Number of images that the batch was drawn from.

    Returns
    -------
    mutual_information, total_correlation, dimension_wise_kl : Tensor
        Scalars in nats; their sum estimates the KL.
    """
    n = len(z)
    mean, logvar = posterior.mean, posterior.logvar
    log_density = -0.5 * (math.log(2 * math.pi) + logvar + (z[:, None] - mean).square() * (-logvar).exp())
    # Weights of the stratified estimate: 1/N for the image of the sample, the remainder for one other image, and
    # 1/(n - 1) for each of the rest.
    own = 1.0 / dataset_size
    slack = (dataset_size - n + 1) / (dataset_size * (n - 1))
    weights = torch.full((n, n), 1.0 / (n - 1), dtype=z.dtype, device=z.device)
    index = torch.arange(n, device=z.device)
    weights[index, index] = own
    weights[index, (index + 1) % n] = slack
    log_weights = weights.log()

    log_q_z = torch.logsumexp(log_weights + log_density.sum(2), dim=1)
    log_product = torch.logsumexp(log_weights[..., None] + log_density, dim=1).sum(1)
    log_q_z_given_x = log_density[index, index].sum(1)
    log_prior = (-0.5 * (math.log(2 * math.pi) + z.square())).sum(1)
    return (
        (log_q_z_given_x - log_q_z).mean(),
        (log_q_z - log_product).mean(),
        (log_product - log_prior).mean(),
    )


def commitment(value: Tensor, quantised: Tensor) -> Tensor:
    """||z_e - sg(e)||^2 of van den Oord et al. 2017, equation 3: summed over a sample, averaged over the batch.

    Parameters
    ----------
    value, quantised : Tensor, shape (batch, *latent_shape)
        Output of the encoder, and its codes, which receive no gradient.
    """
    return (value - quantised.detach()).square().sum() / len(value)


def ramp(step: int, length: float) -> float:
    """A weight that increases linearly from 0 at step 0 to 1 at step `length`; 1 if `length` is 0."""
    return 1.0 if length == 0 else min(1.0, step / length)


@dataclass(frozen=True)
class Given:
    """The values of a batch for an objective.

    Parameters
    ----------
    posterior : Posterior
    z : Tensor, shape (batch, latent_dim)
        A sample of the posterior.
    step, dataset_size : int
    prior : Tensor, shape (batch, latent_dim), optional
        A sample of the prior.
    joint_logits : Tensor, shape (batch, 2), optional
        Logits of the discriminator for `z`.
    latent : Tensor, shape (batch, *latent_shape), optional
        Output of the latent layer for `z`.
    """

    posterior: Posterior
    z: Tensor
    step: int
    dataset_size: int
    prior: Tensor | None = None
    joint_logits: Tensor | None = None
    latent: Tensor | None = None


def log_kl(given: Given, terms: Terms) -> Tensor:
    """The total KL, a scalar in nats; also stored in `terms`."""
    terms["kl"] = gaussian_kl(given.posterior).sum()
    return terms["kl"]


def objective_terms(objective: PenaltySection, reconstruction: Tensor, given: Given) -> Terms:
    """The terms of `objective` at a training step, including ``loss``.

    Parameters
    ----------
    objective : PenaltySection
    reconstruction : Tensor
        Mean negative log-likelihood of the batch, a scalar; see `reconstruction_nll`.
    given : Given
    """
    terms: Terms = {"reconstruction": reconstruction}
    penalty = objective.penalty(given, terms)
    terms["loss"] = reconstruction + ramp(given.step, objective.warm_up) * penalty
    return terms
