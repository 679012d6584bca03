"""The mutual information gap, binned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import FloatArray, IntArray, LabelledCodes, label_codes
from causalvae.disentanglement.gaps import find_best, measure_gap
from causalvae.disentanglement.information import measure_entropy, measure_information


@dataclass(frozen=True, eq=False)
class MIG:
    """A mutual information gap and what it rests on.

    Parameters
    ----------
    score : float
        Mean of `per_factor` over the factors that vary.
    per_factor : float array, shape (n_factors,)
        (I_best - I_second) / H; nan for a factor with one value.
    information : float array, shape (n_latents, n_factors)
        Mutual information in nats; nan for latents outside the mask.
    entropy : float array, shape (n_factors,)
        Of each factor, in nats.
    best : int array, shape (n_factors,)
        The latent with the largest information on each factor, numbered among all latents; -1 where none has any.
    estimator : str
        How the information was estimated.
    """

    score: float
    per_factor: FloatArray
    information: FloatArray
    entropy: FloatArray
    best: IntArray
    estimator: str


def mig(codes: npt.ArrayLike, factors: npt.ArrayLike, *, bins: int = 20, active: npt.ArrayLike | None = None) -> MIG:
    """The mutual information gap of binned codes, as disentanglement_lib defines it.

    Parameters
    ----------
    codes : array, shape (n, n_latents)
    factors : array, shape (n, n_factors)
        Discrete: equal values are one level.
    bins : int, default 20
        Equal-width bins a latent. A factor with more levels than bins cannot reach a gap of 1.
    active : bool array, shape (n_latents,), optional

    Returns
    -------
    MIG

    Raises
    ------
    CausalVAEError
        CV510 to CV512, see `label_codes`; CV513 where a factor has hardly two samples a value, so that it would be
        known from any code.

    Notes
    -----
    Chen et al. 2018 (arXiv 1802.04942) estimate the same quantity from samples of the posterior; that is `sampled_mig`,
    and its numbers differ from these. Definition and 20 bins: Locatello et al. 2019 (arXiv 1811.12359).
    """
    sample = label_codes(codes, factors, active)
    sample.refuse_continuous()
    information = measure_information(sample, bins)
    return gap(information, measure_entropy(sample), f"plug-in on {bins} equal-width bins")


def gap(information: FloatArray, entropy: FloatArray, estimator: str) -> MIG:
    """The gap of given mutual information, shape (n_latents, n_factors), and entropies, shape (n_factors,)."""
    gaps = normalise_gaps(information, entropy)
    return MIG(float(np.nanmean(gaps)), gaps, information, entropy, find_best(information), estimator)


def normalise_gaps(information: FloatArray, entropy: FloatArray) -> FloatArray:
    """Gaps in information, (..., n_latents, n_factors), by entropy, (..., n_factors): nan where that is zero."""
    gaps = np.full(entropy.shape, np.nan)
    np.divide(measure_gap(information), entropy, out=gaps, where=entropy > 0)
    return gaps


def recompute_mig(sample: LabelledCodes, chosen: IntArray, bins: int = 20) -> FloatArray:
    """The score of each of several sets of samples, `chosen` of shape (b, m), bins and all: shape (b,)."""
    scores = []
    for rows in chosen:
        part = replace(sample, codes=sample.codes[rows], factors=sample.factors[rows], levels=sample.levels[rows])
        scores.append(np.nanmean(normalise_gaps(measure_information(part, bins), measure_entropy(part))))
    return np.asarray(scores, dtype=np.float64)
