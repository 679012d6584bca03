"""The interventional robustness score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import FloatArray, IntArray, label_codes
from causalvae.disentanglement.information import discretise


@dataclass(frozen=True, eq=False)
class IRS:
    """Interventional robustness.

    Parameters
    ----------
    score : float
        Mean of `per_latent`, weighted by `deviation`; 0 where no latent moves.
    per_latent : float array, shape (n_latents,)
        The largest entry of each row of `matrix`; nan for latents that are constant or outside the mask.
    matrix : float array, shape (n_latents, n_factors)
        How robust each latent is to all changes that leave a factor as it is: 1 where that factor alone moves it. Nan
        as `per_latent`, and for factors with one value.
    parents : int array, shape (n_latents,)
        The factor of the largest entry; -1 where there is none.
    deviation : float array, shape (n_latents,)
        Each latent's greatest distance from its mean.
    """

    score: float
    per_latent: FloatArray
    matrix: FloatArray
    parents: IntArray
    deviation: FloatArray


def irs(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    *,
    quantile: float = 0.99,
    bins: int | None = 20,
    active: npt.ArrayLike | None = None,
) -> IRS:
    """The interventional robustness score of Suter et al. 2019 (arXiv 1811.00007).

    Parameters
    ----------
    codes : array, shape (n, n_latents)
    factors : array, shape (n, n_factors)
        Must vary independently: conditioning on a factor then equals setting it.
    quantile : float, default 0.99
        Of the distances from the conditional mean that stands for the greatest.
    bins : int or None, default 20
        Equal-width bins of each factor's values; None keeps every value apart, as categorical factors with more than
        20 levels need.
    active : bool array, shape (n_latents,), optional
        Constant latents are omitted in any case.

    Raises
    ------
    CausalVAEError
        CV510 to CV512, see `label_codes`; CV513 for continuous factors with ``bins=None``.

    Notes
    -----
    1 - mean over g of quantile(|z_i - E[z_i | g_j = g]|) / max |z_i - E z_i|. A factor with one value is omitted:
    given it nothing is known, and its column would hold what the quantile cuts off. Untrained networks reach high
    values (0.48 on dSprites, above some trained ones): never read it alone.
    """
    sample = label_codes(codes, factors, active)
    if bins is None:
        sample.refuse_continuous()
        groups = sample.levels
    else:
        groups = discretise(sample.factors, bins)
    used = sample.moving
    matrix = np.full((len(used), len(sample.sizes)), np.nan)
    parents = np.full(len(used), -1, dtype=np.int64)
    per_latent = np.full(len(used), np.nan)
    latents = sample.codes[:, used]
    deviation = np.abs(sample.codes - sample.codes.mean(axis=0)).max(axis=0)
    deviation[~used] = 0.0
    if not used.any():
        return IRS(0.0, per_latent, matrix, parents, deviation)
    for factor in np.flatnonzero(sample.varied):
        spread = _measure_spread(latents, groups[:, factor], quantile)
        matrix[used, factor] = 1.0 - spread / deviation[used]
    per_latent[used] = np.nanmax(matrix[used], axis=1)
    parents[used] = np.nanargmax(matrix[used], axis=1)
    score = float(np.average(per_latent[used], weights=deviation[used]))
    return IRS(score, per_latent, matrix, parents, deviation)


def _measure_spread(latents: FloatArray, group: IntArray, quantile: float) -> FloatArray:
    """Mean over groups of the quantile of distances from the group's mean: shape (n_latents,)."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order])) + 1
    spreads = [
        np.quantile(np.abs(members - members.mean(axis=0)), quantile, axis=0)
        for members in np.split(latents[order], starts)
    ]
    return np.asarray(np.mean(spreads, axis=0))
