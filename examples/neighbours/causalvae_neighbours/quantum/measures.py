"""What a spin VAE's latent knows of the field and of the order, against what a measurement can know at all.

A small chain has few configurations and their probabilities are known exactly, so the densities that a mutual
information needs are sums over all configurations and not estimates: only the average over latents is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from causalvae.data.factors import FloatArray, IntArray
from causalvae.models.vae import VAE
from causalvae_neighbours.quantum.ising import IsingDataset, measure_spins
from causalvae_neighbours.quantum.spin_chain import configurations

_LATENT_ROWS = 500


@dataclass(frozen=True)
class Knowledge:
    """What one latent, or all together, know; informations in nats.

    Parameters
    ----------
    of_field, of_order : float
        Mutual information of a posterior sample with the field, and with the order |m| of the configuration.
    magnetisation, order, field : float
        Absolute rank correlation (Spearman) of the posterior mean with the magnetisation; of its distance from its
        average with the order, and with the field. nan for all latents together.
    """

    of_field: float
    of_order: float
    magnetisation: float = math.nan
    order: float = math.nan
    field: float = math.nan


@dataclass(frozen=True)
class Ceiling:
    """What a measured configuration knows, exactly; informations in nats.

    Parameters
    ----------
    of_field : float
        Mutual information of the configuration and the field: no latent knows more of the field.
    of_order : float
        Entropy of the order: no latent knows more of it.
    order_of_field : float
        Mutual information of the order and the field.
    field : float
        Absolute rank correlation of the order and the field.
    entropy : float
        Of the configurations of all fields: no model's negative log-likelihood is lower.
    """

    of_field: float
    of_order: float
    order_of_field: float
    field: float
    entropy: float


@dataclass(frozen=True)
class Findings:
    """A spin VAE held against its data.

    Parameters
    ----------
    each : tuple of Knowledge
        By latent.
    together : Knowledge
    bound : float
        Negative evidence lower bound in nats a configuration: reconstruction + KL, the KL with weight 1.
    kl : float
        The KL in it.
    """

    each: tuple[Knowledge, ...]
    together: Knowledge
    bound: float
    kl: float

    @property
    def best(self) -> int:
        """The latent that knows most of the order."""
        return int(np.argmax([latent.of_order for latent in self.each]))


@dataclass(frozen=True)
class Joint:
    """Every configuration and its probability at every field, the fields equally likely.

    Parameters
    ----------
    bits : int array, shape (2^spins, spins)
    given_field : float array, shape (n_fields, 2^spins)
    orders : int array, shape (2^spins,)
        Which of the values of the order each has.
    values : dict
        Magnetisation and order of each.
    """

    bits: IntArray
    given_field: FloatArray
    orders: IntArray
    values: dict[str, FloatArray]

    @property
    def given_order(self) -> FloatArray:
        """Probability of each configuration given the order: shape (n_orders, 2^spins)."""
        table = np.where(self.orders == np.arange(self.orders.max() + 1)[:, None], self.marginal, 0.0)
        return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float64)

    @property
    def marginal(self) -> FloatArray:
        """Probability of each configuration over all fields: shape (2^spins,)."""
        return np.asarray(self.given_field.mean(axis=0), dtype=np.float64)


def joint_of(dataset: IsingDataset) -> Joint:
    """All configurations of a data set, those with the first spin up and then their opposites."""
    up = configurations(dataset.spins)
    bits = np.concatenate([up, 1 - up])
    values = measure_spins(2.0 * bits.astype(np.float64) - 1.0)
    _, orders = np.unique(np.round(values["order"], 9), return_inverse=True)
    half = dataset.chain.probabilities / 2.0
    return Joint(bits, np.concatenate([half, half], axis=1), orders.astype(np.int64), values)


def find_ceiling(dataset: IsingDataset) -> Ceiling:
    """What can be known at all; exact."""
    joint = joint_of(dataset)
    count = joint.orders.max() + 1
    order_given_field = np.stack(
        [np.bincount(joint.orders, weights=row, minlength=count) for row in joint.given_field]
    ).astype(np.float64)
    fields = np.repeat(np.arange(len(joint.given_field))[:, None], len(joint.bits), axis=1)
    orders = np.broadcast_to(joint.values["order"], fields.shape)
    weights = joint.given_field / len(joint.given_field)
    return Ceiling(
        of_field=_information(joint.given_field),
        of_order=_entropy(order_given_field.mean(axis=0)),
        order_of_field=_information(order_given_field),
        field=abs(weighted_spearman(orders.ravel(), fields.ravel().astype(np.float64), weights.ravel())),
        entropy=_entropy(joint.marginal),
    )


@torch.no_grad()
def find_knowledge(vae: VAE, dataset: IsingDataset, draws: int = 4000, seed: int = 0) -> Findings:
    """What the latents of `vae` know.

    Parameters
    ----------
    vae : VAE
        In evaluation mode.
    dataset : IsingDataset
    draws : int
        Posterior samples that informations and the bound are averaged over.
    seed : int
    """
    joint = joint_of(dataset)
    x = torch.from_numpy(joint.bits).to(torch.float32)
    posterior = vae.encode(x)
    rng = np.random.default_rng(seed)
    field = rng.integers(0, len(joint.given_field), draws)
    cumulative = joint.given_field.cumsum(axis=1)
    cumulative /= cumulative[:, -1:]
    drawn = (rng.random(draws)[:, None] >= cumulative[field]).sum(axis=1)
    noise = torch.from_numpy(rng.standard_normal((draws, vae.latent_dim))).to(torch.float32)
    z = posterior.mean[drawn] + noise * (0.5 * posterior.logvar[drawn]).exp()
    sets = [[latent] for latent in range(vae.latent_dim)] + [list(range(vae.latent_dim))]
    of_field = [_latent_information(joint.given_field, field, z, posterior.mean, posterior.logvar, s) for s in sets]
    shares = np.bincount(joint.orders, weights=joint.marginal).astype(np.float64)
    of_order = [
        _latent_information(joint.given_order, joint.orders[drawn], z, posterior.mean, posterior.logvar, s, shares)
        for s in sets
    ]
    each = tuple(
        Knowledge(of_field[k], of_order[k], *_ranks(posterior.mean[:, k].double().numpy(), joint))
        for k in range(vae.latent_dim)
    )
    nll = torch.nn.functional.binary_cross_entropy_with_logits(
        vae.decode_raw(z, x[drawn]), x[drawn], reduction="none"
    ).sum(1)
    of_each = 0.5 * (posterior.mean.square() + posterior.logvar.exp() - 1.0 - posterior.logvar).sum(1).double()
    kl = float((of_each.numpy() * joint.marginal).sum())
    return Findings(each, Knowledge(of_field[-1], of_order[-1]), float(nll.double().mean()) + kl, kl)


def weighted_spearman(a: FloatArray, b: FloatArray, weights: FloatArray) -> float:
    """Rank correlation of two variables, shapes (n,), whose pairs have probabilities `weights`; ties share a rank."""
    ranks = []
    for values in (a, b):
        _, group = np.unique(values, return_inverse=True)
        mass = np.bincount(group, weights=weights)
        ranks.append((mass.cumsum() - mass / 2)[group])
    centred = [rank - (weights * rank).sum() / weights.sum() for rank in ranks]
    spread = math.sqrt((weights * centred[0] ** 2).sum() * (weights * centred[1] ** 2).sum())
    return float((weights * centred[0] * centred[1]).sum() / spread) if spread > 0 else 0.0


def _ranks(mean: FloatArray, joint: Joint) -> tuple[float, float, float]:
    """Rank correlations of one latent with magnetisation, and of its distance from its average with order and field."""
    marginal = joint.marginal
    distance = np.round(np.abs(mean - (marginal * mean).sum()), 6)
    fields = np.repeat(np.arange(len(joint.given_field))[:, None], len(mean), axis=1).astype(np.float64)
    over_fields = np.broadcast_to(distance, fields.shape)
    return (
        abs(weighted_spearman(mean, joint.values["magnetisation"], marginal)),
        abs(weighted_spearman(distance, joint.values["order"], marginal)),
        abs(weighted_spearman(over_fields.ravel(), fields.ravel(), joint.given_field.ravel() / len(fields))),
    )


def _latent_information(
    given: FloatArray,
    actual: IntArray,
    z: torch.Tensor,
    mean: torch.Tensor,
    logvar: torch.Tensor,
    latents: list[int],
    shares: FloatArray | None = None,
) -> float:
    """Mutual information of some latents and a cause, from the exact density of the latents given each of its values.

    Parameters
    ----------
    given : float array, shape (values, configurations)
        Probability of each configuration given the cause's value.
    actual : int array, shape (draws,)
        The value behind each of `z`, shape (draws, latent_dim).
    mean, logvar : Tensor, shape (configurations, latent_dim)
    latents : list of int
    shares : float array, shape (values,), optional
        Probability of each value; equal if omitted.
    """
    weights = np.full(len(given), 1.0 / len(given)) if shares is None else shares
    table = torch.from_numpy(given).double().clamp(min=1e-300).log()
    prior = torch.from_numpy(weights).log()
    total = 0.0
    for start in range(0, len(z), _LATENT_ROWS):
        part = z[start : start + _LATENT_ROWS, None, latents].double()
        deviation = (part - mean[:, latents].double()).square() * (-logvar[:, latents]).double().exp()
        density = -0.5 * (math.log(2 * math.pi) + logvar[:, latents].double() + deviation).sum(2)
        of_value = torch.logsumexp(table + density[:, None, :], dim=2)
        overall = torch.logsumexp(prior + of_value, dim=1)
        here = torch.from_numpy(actual[start : start + _LATENT_ROWS])
        total += float((of_value.gather(1, here[:, None])[:, 0] - overall).sum())
    return total / len(z)


def _entropy(probabilities: FloatArray) -> float:
    kept = probabilities[probabilities > 0]
    return float(-(kept * np.log(kept)).sum())


def _information(given: FloatArray) -> float:
    """Mutual information of a cause with equally likely values and what has probabilities `given` it, (values, n)."""
    return _entropy(np.asarray(given.mean(axis=0), dtype=np.float64)) - float(np.mean([_entropy(row) for row in given]))
