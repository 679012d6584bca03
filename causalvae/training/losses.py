"""The losses of the VAE family, each as one function from a posterior and a sample to named terms.

Every term is in nats an image. `loss` is what is minimised; the others say what it is made of.
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
    """KL(q(z|x) || N(0, I)) of each latent, averaged over the batch: shape (latent_dim,), in nats."""
    mean, logvar = posterior.mean, posterior.logvar
    return (0.5 * (mean.square() + logvar.exp() - 1.0 - logvar)).mean(0)


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """Bernoulli negative log-likelihood of `x`, summed over pixels and averaged over the batch, in nats."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def gaussian_nll(mean: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
    """Negative log-density of `x` under N(mean, sigma^2 I), summed over a sample and averaged over the batch, in nats.

    1/2 ((x - mean) / sigma)^2 + log sigma + 1/2 log 2 pi of each number; `log_sigma` is a scalar.
    """
    squares = (x - mean).square().sum() / len(x)
    numbers = x[0].numel()
    return 0.5 * squares * (-2.0 * log_sigma).exp() + numbers * (log_sigma + 0.5 * math.log(2.0 * math.pi))


def reconstruction_nll(vae: VAE, output: Tensor, x: Tensor) -> Tensor:
    """Of data, or the part that outputs stand for, under the decoder's output before its activation.

    A scalar in nats a sample, averaged over the batch.

    Parameters
    ----------
    vae : VAE
        Its likelihood decides; a Bernoulli one takes the output as logits.
    output : Tensor, shape (batch, *output_shape)
    x : Tensor, shape (batch, *input_shape)
    """
    x = vae.target(x)
    if vae.likelihood == "bernoulli":
        return bernoulli_nll(output, x)
    return gaussian_nll(vae.activate(output), x, vae.log_sigma)


def total_correlation(posterior: Posterior, z: Tensor, dataset_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Chen et al.'s split of the KL, by minibatch-stratified sampling (arXiv 1802.04942, appendix C.2).

    Parameters
    ----------
    posterior : Posterior
        Of a batch of at least two images.
    z : Tensor, shape (batch, latent_dim)
        One sample of each.
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
    # Weights that make the batch stand for the data set: the sample's own image counts 1/N, one other image takes up
    # the slack, and each of the rest counts 1/(n - 1).
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
        What the encoder gave, and the codes in its place; no gradient reaches these.
    """
    return (value - quantised.detach()).square().sum() / len(value)


def ramp(step: int, length: float) -> float:
    """A weight that rises linearly from 0 at step 0 to 1 at step `length`; 1 where `length` is 0."""
    return 1.0 if length == 0 else min(1.0, step / length)


@dataclass(frozen=True)
class Given:
    """What an objective is told of a batch.

    Parameters
    ----------
    posterior : Posterior
    z : Tensor, shape (batch, latent_dim)
        A sample of it.
    step, dataset_size : int
    prior : Tensor, shape (batch, latent_dim), optional
        A sample of the prior.
    joint_logits : Tensor, shape (batch, 2), optional
        The logits of the objective's discriminator, of `z`.
    latent : Tensor, shape (batch, *latent_shape), optional
        What the latent layer made of `z`.
    """

    posterior: Posterior
    z: Tensor
    step: int
    dataset_size: int
    prior: Tensor | None = None
    joint_logits: Tensor | None = None
    latent: Tensor | None = None


def log_kl(given: Given, terms: Terms) -> Tensor:
    """The KL of all latents, a scalar in nats, which is added to `terms`."""
    terms["kl"] = gaussian_kl(given.posterior).sum()
    return terms["kl"]


def objective_terms(objective: PenaltySection, reconstruction: Tensor, given: Given) -> Terms:
    """The terms of `objective` at a training step, with what is minimised under ``loss``.

    Parameters
    ----------
    objective : PenaltySection
    reconstruction : Tensor
        The batch's mean negative log-likelihood, a scalar; see `reconstruction_nll`.
    given : Given
    """
    terms: Terms = {"reconstruction": reconstruction}
    penalty = objective.penalty(given, terms)
    terms["loss"] = reconstruction + ramp(given.step, objective.warm_up) * penalty
    return terms
