"""Finds the latents that carry a factor, on samples of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.data.dataset import Dataset
from causalvae.data.factors import FactorSpace, Rows
from causalvae.data.pairs import Pairs, draw_pairs, draw_samples
from causalvae.data.split import SplitRule
from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.graph import CausalGraph
from causalvae.latent_effects import LatentEffects
from causalvae.models.loading import Model
from causalvae.models.network import channel_means
from causalvae.models.vae import Posterior
from causalvae.readouts import Readout
from causalvae.selection import FoundLatents, Stability
from causalvae.spec.schema import Spec

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FIND_PAIRS = 512
EFFECT_PAIRS = 128
REDRAWS = 200
# Rows that choosing by effect may take for each factor; networks with many latents get fewer pairs.
_MOST_ROWS = 3000
_FEWEST_PAIRS = 24
_ROWS = 256
_LEAST = 2


def find_latents(
    spec: Spec, model: Model, dataset: Dataset, readouts: Mapping[str, Readout] | None = None
) -> dict[str, FoundLatents]:
    """For each node that the spec's mapping leaves to be found, the latents that carry its factor.

    Parameters
    ----------
    spec : Spec
    model : Model
    dataset : Dataset
    readouts : mapping, optional
        Attribute -> readout; without those of a factor's attributes effects are measured on the whole output.

    Raises
    ------
    CausalVAEError
        CV207 where there are no samples to select on, CV315 where a node is no factor that can be set, or more latents
        are asked for than there are, CV324 where too few pairs can be made.

    Notes
    -----
    With x' being x under do(factor = another level), the others held, latent i scores

    - by effect: (share + necessity) / 2 of the total effect on the attributes that the factor reaches in the declared
      graph, or on the whole output (`causalvae.latent_effects`);
    - by movement: E[(mu_i(x') - mu_i(x))^2] / (Var[mu_i(x)] + E[sigma_i^2(x)]). The denominator is the variance of the
      aggregate posterior: a dead latent, whose mean hardly moves and whose sigma is 1, scores near 0 whatever it
      follows. An encoder that gives a point has no sigma. A latent that nothing reads can score highest.

    Where the treatment changes no outcome, latents are chosen by movement. Pairs of finite data are made of the samples
    to select on, others are drawn with a seed that no cohort of the run has, so what is chosen here is tested on other
    pairs.
    """
    wanted = {node: search for node, section in spec.mapping.items() if (search := section.search) is not None}
    if not wanted:
        return {}
    check_wanted(spec, dataset.space, model.vae.latent_dim)
    seed = int(digest(["find", spec.data.seed]), 16) % 2**62
    within = SplitRule.of(spec.data.split).within(dataset, "select")
    spread: FloatArray | None = None
    found = {}
    for node, search in wanted.items():
        asked = _effect_pairs(model.vae.latent_dim) if search.by == "effect" else FIND_PAIRS
        pairs = _draw(dataset, node, asked, seed, within)
        best = None
        if search.by == "effect":
            best = _by_effect(spec, model, dataset, readouts or {}, node, search.count, pairs, seed)
        if best is None:
            if spread is None:
                spread = _aggregate_variance(model, dataset, draw_samples(dataset, FIND_PAIRS, seed, within))
            pairs = pairs if asked == FIND_PAIRS else _draw(dataset, node, FIND_PAIRS, seed, within)
            best = _by_movement(model, dataset, node, search.count, pairs, spread, seed)
        found[node] = best
    return found


def check_wanted(spec: Spec, known: FactorSpace, latents: int | None = None) -> None:
    """Raise CV315 if latents are to be found for a node that the data cannot set, or more than there are.

    Parameters
    ----------
    spec : Spec
    known : FactorSpace
        The factors of the data.
    latents : int, optional
        Latents of the network, where it is loaded.
    """
    for node, section in spec.mapping.items():
        if section.search is None:
            continue
        if node not in known.names or not known[node].settable:
            raise CausalVAEError(
                "CV315",
                f"the latents of {node} cannot be found: it is not a factor that the data can set.",
                "Give its components, such as latent[3]. A sweep (`latent: {components: latent}`) shows what latents "
                "move.",
                f"mapping.{node}",
            )
        if latents is not None and section.search.count > latents:
            raise CausalVAEError(
                "CV315",
                f"{section.search.count} latents are to be found for {node}, and the network has {latents}.",
                f"Ask for at most {latents}.",
                f"mapping.{node}",
            )


def _effect_pairs(latents: int) -> int:
    """Pairs that latents are chosen by effect on: each takes two runs a latent."""
    return max(_FEWEST_PAIRS, min(EFFECT_PAIRS, _MOST_ROWS // (2 * latents)))


def _draw(dataset: Dataset, node: str, samples: int, seed: int, within: IntArray | None) -> Pairs:
    pairs = draw_pairs(dataset, factor=node, samples=samples, seed=seed, within=within)
    if len(pairs) < _LEAST:
        raise CausalVAEError(
            "CV324",
            f"the samples that there are to select on make {len(pairs)} pairs of {node}, and {_LEAST} are needed "
            "to find its latents.",
            "Give more samples, a greater data.split.select, or components such as latent[3].",
            f"mapping.{node}",
        )
    return pairs


def _by_effect(
    spec: Spec,
    model: Model,
    dataset: Dataset,
    readouts: Mapping[str, Readout],
    node: str,
    count: int,
    pairs: Pairs,
    seed: int,
) -> FoundLatents | None:
    """The latents that carry most of the effect; None where the treatment changes nothing."""
    reached = CausalGraph.from_section(spec.graph).descendants(node)
    own = {name: readout for name, readout in readouts.items() if name in reached}
    for outcomes in (own, {}) if own else ({},):
        effects = LatentEffects(model, dataset, pairs, outcomes)
        singles = effects.products([(latent,) for latent in range(model.vae.latent_dim)])
        total = singles.total.sum()
        if total > 0:
            break
    else:
        return None
    scores = singles.scores
    chosen = best_of(scores.sum(axis=1), count)
    halves = half_samples(len(pairs), seed)
    redrawn = [best_of(scores[:, half].sum(axis=1), count) for half in halves]
    sets = sorted({tuple(sorted(units)) for units in redrawn})
    together = effects.products(sets).alone if count > 1 else singles.alone[[units[0] for units in sets]]
    alone = dict(zip(sets, together, strict=True))
    shares = []
    for half, units in zip(halves, redrawn, strict=True):
        rest = np.setdiff1d(np.arange(len(pairs)), half)
        below = singles.total[rest].sum()
        shares.append(alone[tuple(sorted(units))][rest].sum() / below if below > 0 else np.nan)
    lower, middle, upper = np.nanquantile(shares, [0.025, 0.5, 0.975]) if np.isfinite(shares).any() else [np.nan] * 3
    stability = replace(_stability(chosen, redrawn), share=_known(middle), lower=_known(lower), upper=_known(upper))
    return FoundLatents(
        node,
        chosen,
        tuple(float(score) for score in scores.sum(axis=1) / total),
        len(pairs),
        "effect",
        tuple(outcomes),
        stability,
    )


def _by_movement(
    model: Model, dataset: Dataset, node: str, count: int, pairs: Pairs, spread: FloatArray, seed: int
) -> FoundLatents:
    """The latents that move most."""
    moved = (_means(model, dataset, pairs.counterfactual) - _means(model, dataset, pairs.base)) ** 2
    # A latent that is constant over the data moves under nothing.
    each = np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 1e-12)
    scores = each.mean(axis=0)
    total = scores.sum()
    chosen = best_of(scores, count)
    redrawn = [best_of(each[half].mean(axis=0), count) for half in half_samples(len(pairs), seed)]
    shares = scores / total if total > 0 else scores
    return FoundLatents(
        node, chosen, tuple(float(share) for share in shares), len(pairs), "movement", (), _stability(chosen, redrawn)
    )


def best_of(scores: FloatArray, count: int) -> tuple[int, ...]:
    """The `count` latents of the highest scores, the best first; of equal ones the first."""
    return tuple(int(latent) for latent in np.argsort(-scores, kind="stable")[:count])


def half_samples(pairs: int, seed: int) -> list[IntArray]:
    """Random halves of the pairs, drawn without replacement: small deletions would call an arbitrary choice stable."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(pairs)[: max(1, pairs // 2)] for _ in range(REDRAWS)]


def _stability(chosen: tuple[int, ...], redrawn: Sequence[tuple[int, ...]]) -> Stability:
    return Stability(
        redraws=len(redrawn),
        same=float(np.mean([set(units) == set(chosen) for units in redrawn])),
        frequencies=tuple(float(np.mean([latent in units for units in redrawn])) for latent in chosen),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


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
