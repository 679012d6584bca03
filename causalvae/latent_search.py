"""Finds the latents that carry a factor, on samples of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.data.dataset import Dataset
from causalvae.data.factors import Rows
from causalvae.data.pairs import draw_pairs, draw_samples
from causalvae.data.split import SplitRule
from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.models.loading import Model
from causalvae.models.network import channel_means
from causalvae.models.vae import Posterior
from causalvae.spec.schema import Spec

FloatArray = npt.NDArray[np.float64]

FIND_PAIRS = 512
_ROWS = 256
_LEAST = 2


@dataclass(frozen=True)
class FoundLatents:
    """Where a factor was found.

    Parameters
    ----------
    factor : str
    latents : tuple of int
        The latents that move most, most first.
    shares : tuple of float
        For every latent its share of the movement: of the mean squared changes under do(factor), each divided by the
        latent's variance in the aggregate posterior.
    pairs : int
        On how many pairs; those of finite data are made of the samples to select on.
    """

    factor: str
    latents: tuple[int, ...]
    shares: tuple[float, ...]
    pairs: int

    @property
    def components(self) -> tuple[str, ...]:
        """As addresses."""
        return tuple(f"latent[{latent}]" for latent in self.latents)


def find_latents(spec: Spec, model: Model, dataset: Dataset) -> dict[str, FoundLatents]:
    """For each node that the spec's mapping leaves to be found, the latents that its factor moves most.

    Latent i scores E[(mu_i(x') - mu_i(x))^2] / (Var[mu_i(x)] + E[sigma_i^2(x)]), x' being x under do(factor = another
    level), the others held. The denominator is the variance of the aggregate posterior: a dead latent, whose mean
    hardly moves and whose sigma is 1, scores near 0 whatever it follows. An encoder that gives a point has no sigma.
    Pairs of finite data are made of the samples to select on, others are drawn with a seed that no cohort of the run
    has, so what is chosen here is tested on other pairs.

    Raises
    ------
    CausalVAEError
        CV207 where there are no samples to select on, CV315 where a node is no factor that can be set, or more latents
        are asked for than there are, CV324 where too few pairs can be made.
    """
    wanted = {node: section.find for node, section in spec.mapping.items() if section.find is not None}
    if not wanted:
        return {}
    seed = int(digest(["find", spec.data.seed]), 16) % 2**62
    within = SplitRule.of(spec.data.split).within(dataset, "select")
    spread = _aggregate_variance(model, dataset, draw_samples(dataset, FIND_PAIRS, seed, within))
    known = dataset.space
    found = {}
    for node, count in wanted.items():
        if node not in known.names or not known[node].settable:
            raise CausalVAEError(
                "CV315",
                f"the latents of {node} cannot be found: it is no factor that the data can set.",
                "Give its components, such as latent[3].",
                f"mapping.{node}",
            )
        if count > model.vae.latent_dim:
            raise CausalVAEError(
                "CV315",
                f"{count} latents are to be found for {node}, and the network has {model.vae.latent_dim}.",
                f"Ask for at most {model.vae.latent_dim}.",
                f"mapping.{node}",
            )
        pairs = draw_pairs(dataset, factor=node, samples=FIND_PAIRS, seed=seed, within=within)
        if len(pairs) < _LEAST:
            raise CausalVAEError(
                "CV324",
                f"the samples that there are to select on make {len(pairs)} pairs of {node}, and {_LEAST} are needed "
                "to find its latents.",
                "Give more samples, a greater data.split.select, or components such as latent[3].",
                f"mapping.{node}",
            )
        moved = _means(model, dataset, pairs.counterfactual) - _means(model, dataset, pairs.base)
        found[node] = _strongest(node, count, np.mean(moved**2, axis=0), spread, len(pairs))
    return found


def _strongest(node: str, count: int, moved: FloatArray, spread: FloatArray, pairs: int) -> FoundLatents:
    # A latent that is constant over the data moves under nothing.
    scores = np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 1e-12)
    total = scores.sum()
    order = np.argsort(-scores, kind="stable")[:count]
    shares = scores / total if total > 0 else scores
    return FoundLatents(node, tuple(int(i) for i in order), tuple(float(s) for s in shares), pairs)


def _means(model: Model, dataset: Dataset, rows: Rows) -> FloatArray:
    return np.concatenate([_by_latent(posterior.mean) for posterior in _posteriors(model, dataset, rows)])


def _aggregate_variance(model: Model, dataset: Dataset, rows: Rows) -> FloatArray:
    posteriors = list(_posteriors(model, dataset, rows))
    variance: FloatArray = np.concatenate([_by_latent(posterior.mean) for posterior in posteriors]).var(axis=0)
    inner = [_by_latent(p.logvar.exp()) for p in posteriors if not p.is_point]
    return variance + np.concatenate(inner).mean(axis=0) if inner else variance


@torch.inference_mode()
def _posteriors(model: Model, dataset: Dataset, rows: Rows) -> Iterator[Posterior]:
    for start in range(0, len(rows), _ROWS):
        yield model.vae.encode(dataset.inputs(rows[start : start + _ROWS]))


def _by_latent(value: Tensor) -> FloatArray:
    return np.asarray(channel_means(value.double()).cpu().numpy())


def place_found(spec: Spec, found: Mapping[str, FoundLatents]) -> Spec:
    """The spec with what was found written into its mapping."""
    if not found:
        return spec
    mapping = {
        node: section.model_copy(update={"components": found[node].components, "find": None})
        if node in found
        else section
        for node, section in spec.mapping.items()
    }
    return spec.model_copy(update={"mapping": mapping})
