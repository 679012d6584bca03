"""The unsupervised disentanglement ranking: do models trained alike find the same latents?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import BoolArray, FloatArray, find_active, read_matrix
from causalvae.errors import CausalVAEError

Similarity = Literal["lasso", "spearman"]

_ALPHA = 0.1


@dataclass(frozen=True, eq=False)
class UDR:
    """An unsupervised disentanglement ranking.

    Parameters
    ----------
    scores : float array, shape (n_models,)
        Of each model the median of its column of `pairwise`, itself omitted.
    pairwise : float array, shape (n_models, n_models)
        Row i, column j: how nearly the active latents of i and j are the same up to order, sign and scale. 0 where one
        of the two has no active latents; nan on the diagonal.
    similarity : tuple of tuple of float array
        Row i, column j: shape (latents of i, latents of j), active or not.
    active : tuple of bool array
        Of each model, shape (n_latents,).
    measure : str
    """

    scores: FloatArray
    pairwise: FloatArray
    similarity: tuple[tuple[FloatArray, ...], ...]
    active: tuple[BoolArray, ...]
    measure: Similarity


def udr(
    codes: Sequence[npt.ArrayLike],
    kl: Sequence[npt.ArrayLike],
    *,
    measure: Similarity = "lasso",
    threshold: float = 0.01,
) -> UDR:
    """The unsupervised disentanglement ranking of Duan et al. 2020 (arXiv 1905.12614).

    Parameters
    ----------
    codes : sequence of array, each of shape (n, n_latents)
        Posterior means of the same n inputs under at least two models, which may differ in their latents.
    kl : sequence of array, each of shape (n, n_latents) or (n_latents,)
        KL divergence of each model's latents from the prior, in nats.
    measure : {"lasso", "spearman"}
        ``lasso`` takes the sizes of coefficients (alpha 0.1) that predict the one model's standardised latents from the
        other's; ``spearman`` takes absolute rank correlations.
    threshold : float, default 0.01
        Latents whose mean KL divergence is not above it are omitted, and so are constant ones.

    Raises
    ------
    CausalVAEError
        CV510 where there are fewer than two models or the arrays do not fit, CV511 for values that are not finite,
        CV514 for an unknown measure.

    Notes
    -----
    Of a similarity matrix R: half the mean over rows of max^2 / sum and half that over columns. It compares models of
    one objective and setting over seeds; the paper takes five or more.
    """
    if measure not in get_args(Similarity):
        raise CausalVAEError(
            "CV514", f"UDR has no measure {measure!r}.", f"Use one of {', '.join(get_args(Similarity))}.", "measure"
        )
    arrays = [read_matrix(code, "codes") for code in codes]
    if len(arrays) < 2 or len(kl) != len(arrays) or len({len(array) for array in arrays}) != 1:
        raise CausalVAEError(
            "CV510",
            f"There are {len(arrays)} sets of codes with {[len(array) for array in arrays]} rows and {len(kl)} of KL "
            "divergences.",
            "Give codes of the same inputs and KL divergences for two models or more.",
            "codes, kl",
        )
    active = tuple(
        find_active(divergence, threshold) & (np.ptp(array, axis=0) > 0)
        for divergence, array in zip(kl, arrays, strict=True)
    )
    usable = [_standardise(array, used, measure) for array, used in zip(arrays, active, strict=True)]
    models = range(len(arrays))
    similarity: list[tuple[FloatArray, ...]] = []
    pairwise = np.full((len(arrays), len(arrays)), np.nan)
    for i in models:
        row = []
        for j in models:
            compared = _compare(usable[i], usable[j], measure)
            if i != j:
                pairwise[i, j] = measure_match(compared)
            whole = np.zeros((len(active[i]), len(active[j])))
            whole[np.ix_(active[i], active[j])] = compared
            row.append(whole)
        similarity.append(tuple(row))
    return UDR(np.nanmedian(pairwise, axis=0), pairwise, tuple(similarity), active, measure)


def measure_match(similarity: FloatArray) -> float:
    """How near a matrix of similarities, not below zero, is to a scaled permutation; 0 for an empty one."""
    if 0 in similarity.shape:
        return 0.0
    halves = []
    for axis in (0, 1):
        best, total = similarity.max(axis=axis), similarity.sum(axis=axis)
        halves.append(np.divide(best**2, total, out=np.zeros_like(best), where=total > 0).mean())
    return float(np.mean(halves))


def _standardise(codes: FloatArray, used: BoolArray, measure: Similarity) -> FloatArray:
    latents = codes[:, used]
    if measure == "spearman":
        from scipy.stats import rankdata

        latents = np.asarray(rankdata(latents, axis=0))
    return np.asarray((latents - latents.mean(axis=0)) / latents.std(axis=0))


def _compare(left: FloatArray, right: FloatArray, measure: Similarity) -> FloatArray:
    """Similarities of standardised latents, (n, a) and (n, b): shape (a, b)."""
    if left.shape[1] == 0 or right.shape[1] == 0:
        return np.zeros((left.shape[1], right.shape[1]))
    if measure == "spearman":
        return np.asarray(np.abs(left.T @ right) / len(left))
    from sklearn.linear_model import Lasso

    coefficients = np.asarray(Lasso(alpha=_ALPHA, random_state=0).fit(left, right).coef_)
    return np.asarray(np.abs(coefficients.reshape(right.shape[1], left.shape[1])).T)
