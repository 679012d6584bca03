"""Unconfoundedness and counterfactual generativeness of Reddy et al. 2022."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import BoolArray, FloatArray, read_matrix
from causalvae.errors import CausalVAEError


@dataclass(frozen=True, eq=False)
class Unconfoundedness:
    """How far factors keep to latents of their own.

    Parameters
    ----------
    score : float
        1 - the mean of `overlap` over pairs of factors.
    overlap : float array, shape (n_factors, n_factors)
        Jaccard index of the latents of each pair; nan where a factor has one value.
    members : bool array, shape (n_latents, n_factors)
        The latents of each factor: the `size` most robust ones.
    """

    score: float
    overlap: FloatArray
    members: BoolArray


class TrueValueProbability(Protocol):
    """Tells how probable a factor's true value is on what is decoded."""

    def __call__(self, codes: FloatArray, factor: int) -> FloatArray:
        """For codes (n, n_latents), row i being a change of sample i: probabilities of its true values, (n,)."""
        ...


@dataclass(frozen=True, eq=False)
class Generativeness:
    """Whether a factor's latents, and they alone, decide what is decoded of it.

    Parameters
    ----------
    score : float
        Mean of `per_factor` over factors with latents of their own.
    per_factor : float array, shape (n_factors,)
        Mean over samples of ||p0 - p1| - |p0 - p2||; nan for a factor without latents.
    own_effect, rest_effect : float array, shape (n_factors,)
        Mean of |p0 - p1|, the factor's own latents moved, and of |p0 - p2|, all the others moved.
    """

    score: float
    per_factor: FloatArray
    own_effect: FloatArray
    rest_effect: FloatArray


def unconfoundedness(irs_matrix: npt.ArrayLike, size: int = 1) -> Unconfoundedness:
    """Unconfoundedness: how little the sets of latents of different factors overlap.

    Parameters
    ----------
    irs_matrix : array, shape (n_latents, n_factors)
        `IRS.matrix`: nan rows and columns are omitted.
    size : int, default 1
        Latents a factor; fewer where fewer are left.

    Raises
    ------
    CausalVAEError
        CV516 where fewer than two factors vary, or no latent does.

    Notes
    -----
    Reddy, Godfrey and Balasubramanian, On causally disentangled representations, AAAI 2022 (arXiv 2112.05746):
    UC = 1 - mean over pairs of |S_j and S_k| / |S_j or S_k|.
    """
    matrix = np.asarray(irs_matrix, dtype=np.float64)
    known = np.isfinite(matrix)
    latents, factors = np.flatnonzero(known.any(axis=1)), np.flatnonzero(known.any(axis=0))
    if len(factors) < 2 or len(latents) == 0:
        raise CausalVAEError(
            "CV516",
            f"Overlap needs two factors that vary and a latent that moves: here are {len(factors)} and {len(latents)}.",
            "Give data whose factors vary, and a network that is trained.",
            "irs_matrix",
        )
    members = np.zeros(matrix.shape, dtype=bool)
    for factor in factors:
        members[latents[np.argsort(-matrix[latents, factor], kind="stable")[:size]], factor] = True
    overlap = np.full((matrix.shape[1], matrix.shape[1]), np.nan)
    for j in factors:
        for k in factors:
            overlap[j, k] = (members[:, j] & members[:, k]).sum() / (members[:, j] | members[:, k]).sum()
    score = 1.0 - float(np.mean([overlap[j, k] for j, k in combinations(factors, 2)]))
    return Unconfoundedness(score, overlap, members)


def generativeness(codes: npt.ArrayLike, members: npt.ArrayLike, probability: TrueValueProbability) -> Generativeness:
    """Counterfactual generativeness: a factor's own latents should decide what is decoded of it, the others nothing.

    Parameters
    ----------
    codes : array, shape (n, n_latents)
        Of samples whose factors' true values `probability` knows.
    members : bool array, shape (n_latents, n_factors)
        `Unconfoundedness.members`.
    probability : callable
        Decodes and classifies; see `TrueValueProbability`.

    Raises
    ------
    CausalVAEError
        CV510 or CV511 for arrays that do not fit or are not finite.

    Notes
    -----
    Reddy et al. 2022. A latent is moved to the end of its observed range that lies farther from the sample.
    """
    z = read_matrix(codes, "codes")
    own = np.asarray(members, dtype=bool)
    if own.ndim != 2 or len(own) != z.shape[1]:
        raise CausalVAEError(
            "CV510",
            f"Members have shape {own.shape}, and there are {z.shape[1]} latents.",
            "Give members (n_latents, n_factors).",
            "members",
        )
    low, high = z.min(axis=0), z.max(axis=0)
    moved = np.where(z - low > high - z, low, high)
    effects = np.full((3, own.shape[1]), np.nan)
    for factor in np.flatnonzero(own.any(axis=0)).tolist():
        before = probability(z, factor)
        first = np.abs(before - probability(np.where(own[:, factor], moved, z), factor))
        second = np.abs(before - probability(np.where(own[:, factor], z, moved), factor))
        effects[:, factor] = np.abs(first - second).mean(), first.mean(), second.mean()
    score = float(np.nanmean(effects[0])) if np.isfinite(effects[0]).any() else 0.0
    return Generativeness(score, effects[0], effects[1], effects[2])
