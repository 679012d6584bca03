"""How far latents keep out of each other's way: at a layer of the decoder, and in the graph of their effects.

- Activation modularity M = 1 - mean over pairs i < j of E_x |rho(da_i(x), da_j(x))|, da_i(x) the activation change
  that setting latent i causes at a layer for sample x. rho is the cosine: no change is the origin, so that latents
  which move different units have rho = 0 (Pearson's correlation, which takes off the mean over units, would call them
  negatively correlated). It is taken within a sample and without its sign, so that changes in both directions do not
  cancel over samples. 1: no two latents move the layer alike; 0: all move it along one line.
- Graph modularity is Newman's Q of the bipartite graph of latents and attributes whose weights are effect sizes,
  against the configuration model: Q = sum_ij (A_ij - k_i k_j / 2m) [c_i = c_j] / 2m, k the strengths, 2m their sum, as
  networkx has it. That null model allows edges between two latents, so a perfect code of K latents for K attributes has
  Q = 1 - 1/K and not 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import Interval, PairedBootstrap
from causalvae.effects.effect_matrix import EffectMatrix
from causalvae.effects.smooth_intervals import OneMinusMean, smooth_intervals

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_STARTS = 10


def activation_modularity(overlaps: FloatArray, bootstrap: PairedBootstrap) -> Interval | None:
    """Activation modularity of a layer, with its interval over samples.

    Parameters
    ----------
    overlaps : float array, shape (pairs of latents, n)
        |rho| of each pair of latents in each sample; NaN where either changes nothing.
    bootstrap : PairedBootstrap
        Over the n samples.

    Returns
    -------
    Interval or None
        Of one statistic; None where no pair of latents has a defined overlap.
    """
    known = np.isfinite(overlaps)
    kept = known.any(axis=1)
    if not kept.any():
        return None
    return smooth_intervals(overlaps[kept][None], OneMinusMean(), bootstrap)


def graph_modularity(matrix: EffectMatrix, bootstrap: PairedBootstrap, seed: int) -> tuple[Interval, int] | None:
    """Newman's modularity of the effect graph, and into how many communities it falls.

    The communities are those of the best of several seeded Louvain runs on the estimates; resamples keep them, so the
    interval says how well the weights are known and not which communities another sample would give.

    Parameters
    ----------
    matrix : EffectMatrix
    bootstrap : PairedBootstrap
    seed : int

    Returns
    -------
    (Interval, int) or None
        None where there are fewer than two latents or outcomes, or no effect.
    """
    weights = np.nan_to_num(matrix.sizes)
    if min(weights.shape) < 2 or not weights.sum() > 0:
        return None
    rows, columns = find_communities(weights, seed)
    flat = matrix.squares.reshape(1, weights.size, matrix.n)
    found = smooth_intervals(flat, EffectModularity(rows, columns), bootstrap)
    return found, len(set(rows.tolist()) | set(columns.tolist()))


class EffectModularity:
    """Newman's Q of one graph of effect sizes, the roots of mean squares, for given communities.

    With t the total, I the weight inside communities and s_c their strengths,

        dQ/dw_ij = [c_i = c_j] / t - I / t^2 - (s_{c_i} + s_{c_j}) / (2 t^2) + sum_c s_c^2 / (2 t^3).
    """

    limits = (-0.5, 1.0)

    def __init__(self, rows: IntArray, columns: IntArray) -> None:
        self._rows, self._columns = rows, columns

    def value(self, means: FloatArray) -> FloatArray:
        """Q of one graph, r times: (1, latents times attributes, r) -> (1, r)."""
        return newman_modularity(self._weights(means), self._rows, self._columns)[None]

    def gradient(self, means: FloatArray) -> FloatArray:
        """By each mean; zero for one that is zero, whose pairs are all zero."""
        weights = self._weights(means)
        total = weights.sum(axis=(0, 1))
        total = np.where(total > 0, total, np.nan)
        strength = np.stack(
            [
                weights[self._rows == community].sum(axis=(0, 1))
                + weights[:, self._columns == community].sum(axis=(0, 1))
                for community in range(int(max(self._rows.max(), self._columns.max())) + 1)
            ]
        )
        inside = (self._rows[:, None] == self._columns)[:, :, None]
        held = (weights * inside).sum(axis=(0, 1))
        ends = strength[self._rows][:, None] + strength[self._columns][None]
        slope = inside / total - held / total**2 - ends / (2 * total**2) + (strength**2).sum(axis=0) / (2 * total**3)
        result = np.zeros_like(weights)
        np.divide(slope, 2 * weights, out=result, where=weights > 0)
        return result.reshape(1, weights.shape[0] * weights.shape[1], -1)

    def _weights(self, means: FloatArray) -> FloatArray:
        # What is left of a sum of squares without one of them may fall below zero by rounding.
        sizes = np.sqrt(np.maximum(np.nan_to_num(means[0]), 0.0))
        return np.asarray(sizes.reshape(len(self._rows), len(self._columns), -1))


def newman_modularity(weights: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    """Newman's Q of bipartite weights for given communities.

    Parameters
    ----------
    weights : float array, shape (latents, attributes, k)
        k graphs at once.
    rows, columns : int array, shape (latents,) and (attributes,)
        The community of each node.

    Returns
    -------
    float array, shape (k,)
        NaN where a graph has no weight.
    """
    total = weights.sum(axis=(0, 1))
    inside = np.zeros_like(total)
    expected = np.zeros_like(total)
    for community in set(rows.tolist()) | set(columns.tolist()):
        here, there = rows == community, columns == community
        inside += weights[here][:, there].sum(axis=(0, 1))
        # The strengths of the community's nodes on both sides of the graph, of 2m in all.
        strength = weights[here].sum(axis=(0, 1)) + weights[:, there].sum(axis=(0, 1))
        expected += strength**2
    share = np.full(total.shape, np.nan)
    np.divide(inside, total, out=share, where=total > 0)
    return np.asarray(share - expected / np.where(total > 0, 4 * total**2, 1.0))


def find_communities(weights: FloatArray, seed: int) -> tuple[IntArray, IntArray]:
    """The communities of latents and of attributes: the best of several Louvain runs.

    Parameters
    ----------
    weights : float array, shape (latents, attributes)
    seed : int
    """
    import networkx as nx

    latents, attributes = weights.shape
    graph: Any = nx.Graph()
    graph.add_nodes_from(range(latents + attributes))
    graph.add_weighted_edges_from(
        (i, latents + j, float(weights[i, j])) for i in range(latents) for j in range(attributes) if weights[i, j] > 0
    )
    best: tuple[float, Sequence[set[int]]] | None = None
    for start in range(_STARTS):
        found = nx.community.louvain_communities(graph, weight="weight", seed=seed + start)
        score = float(nx.community.modularity(graph, found, weight="weight"))
        if best is None or score > best[0] + 1e-12:
            best = score, found
    labels = np.empty(latents + attributes, dtype=np.int64)
    for number, members in enumerate(best[1] if best else ()):
        labels[list(members)] = number
    return labels[:latents], labels[latents:]
