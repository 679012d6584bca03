"""How much of a world's truth a trained network has found: latents, targets, edges, unseen perturbations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from causalvae_neighbours.grace.simulation import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)
# An effect of a parent on its child, both in standard deviations, that counts as an edge: what analyses take as well
# for the least effect that is one.
EDGE = 0.1
# Up to this many nodes every relabelling is tried: 8! = 40,320.
_MOST_RELABELLED = 8


@dataclass(frozen=True)
class EdgeScore:
    """How far an estimated graph is from the true one.

    Parameters
    ----------
    shd : int
        Structural Hamming distance: pairs of nodes whose edge is missing, spurious or reversed.
    precision, recall, f1 : float
        Of directed edges; 0 where undefined.
    """

    shd: int
    precision: float
    recall: float
    f1: float


def score_edges(estimated: BoolArray, true: BoolArray) -> EdgeScore:
    """Compare two directed graphs on the same nodes, bool arrays of shape (d, d), entry (i, j) an edge i -> j."""
    differs = estimated != true
    shd = int(np.triu(differs | differs.T, 1).sum())
    hits, found, there = int((estimated & true).sum()), int(estimated.sum()), int(true.sum())
    return EdgeScore(
        shd,
        hits / found if found else 0.0,
        hits / there if there else 0.0,
        2 * hits / (found + there) if found + there else 0.0,
    )


def best_relabelling(estimated: BoolArray, true: BoolArray) -> EdgeScore:
    """The score of the relabelling of the estimate's nodes that is nearest to the truth, by SHD and then F1.

    It flatters: chance graphs must be scored in the same way to be compared.

    Raises
    ------
    ValueError
        For more than 8 nodes.
    """
    d = len(true)
    if d > _MOST_RELABELLED:
        raise ValueError(f"{d} nodes have too many relabellings to try them all")
    tried = (score_edges(estimated[np.ix_(order, order)], true) for order in permutations(range(d)))
    return min(tried, key=lambda score: (score.shd, -score.f1))


def match_latents(found: FloatArray, true: FloatArray) -> tuple[IntArray, FloatArray]:
    """Which programme each latent is: the matching with the greatest sum of absolute correlations.

    Parameters
    ----------
    found, true : float array, shape (n, d)
        Latents and programmes of the same cells.

    Returns
    -------
    tuple
        For each latent its programme, int array (d,), and their absolute correlation, float array (d,).
    """
    d = found.shape[1]
    spread = found.std(axis=0) > 0.0
    correlation = np.zeros((d, true.shape[1]))
    if spread.any():
        joint = np.corrcoef(found[:, spread].T, true.T)
        correlation[spread] = np.abs(joint[: int(spread.sum()), int(spread.sum()) :])
    return match_counts(correlation)


def match_counts(likeness: FloatArray) -> tuple[IntArray, FloatArray]:
    """The one-to-one matching of rows to columns with the greatest sum: each row's column, and their likeness."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-likeness)
    return np.asarray(columns, dtype=np.int64), likeness[rows, columns]


def relabel(matrix: npt.NDArray[Scalar], programme_of: IntArray) -> npt.NDArray[Scalar]:
    """A matrix over latents, (d, d), as one over the programmes that they were matched to."""
    named = np.empty_like(matrix)
    named[np.ix_(programme_of, programme_of)] = matrix
    return named


def standardise(adjacency: FloatArray, passed_on: FloatArray, values: FloatArray) -> FloatArray:
    """Weights as effects in standard deviations: sd of what the parent passes on, over the child's sd.

    Parameters
    ----------
    adjacency : float array, shape (d, d)
    passed_on, values : float array, shape (n, d)
        f(z) and z.
    """
    child = np.maximum(values.std(axis=0), np.finfo(np.float64).tiny)
    scaled: FloatArray = adjacency * passed_on.std(axis=0)[:, None] / child[None, :]
    return scaled


def random_graphs(d: int, edges: int, count: int, seed: int) -> list[BoolArray]:
    """Graphs by chance: a random order of the nodes and this many edges that respect it."""
    rng = np.random.default_rng(seed)
    graphs = []
    for _ in range(count):
        order = rng.permutation(d)
        room = [(order[a], order[b]) for a in range(d) for b in range(a + 1, d)]
        graph = np.zeros((d, d), dtype=bool)
        for k in rng.permutation(len(room))[:edges]:
            graph[room[k]] = True
        graphs.append(graph)
    return graphs
