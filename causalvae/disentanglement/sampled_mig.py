"""The mutual information gap of samples of the posterior, as beta-TCVAE defines it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import FloatArray, LabelledCodes, label_codes
from causalvae.disentanglement.information import measure_entropy
from causalvae.disentanglement.mig import MIG, gap
from causalvae.errors import CausalVAEError

_CHUNK_ELEMENTS = 4_000_000


def sampled_mig(
    means: npt.ArrayLike,
    logvars: npt.ArrayLike,
    factors: npt.ArrayLike,
    *,
    samples: int = 2000,
    active: npt.ArrayLike | None = None,
    seed: int = 0,
) -> MIG:
    """The mutual information gap of latents as the posterior gives them, noise included.

    Parameters
    ----------
    means, logvars : array, shape (n, n_latents)
        Of the Gaussian posterior of each sample.
    factors : array, shape (n, n_factors)
        Discrete.
    samples : int, default 2000
        How many of the n samples densities are evaluated at, drawn without replacement; the mixtures that give the
        densities are over all n.
    active : bool array, shape (n_latents,), optional
    seed : int, default 0
        Of the posterior noise and of the choice of samples.

    Returns
    -------
    MIG
        Information may fall slightly below zero where there is none.

    Raises
    ------
    CausalVAEError
        CV510 to CV513, see `label_codes`.

    Notes
    -----
    Chen et al. 2018 (arXiv 1802.04942): I(z_j; v_k) = E[log q(z_j | v_k) - log q(z_j)], where q(z_j) is the mixture of
    all samples' posteriors and q(z_j | v_k) that of the samples with the same v_k, z_j being a draw from one of them. A
    draw's own posterior is part of both mixtures, so information is too high where posteriors are narrow and a value
    has few samples. The numbers differ from those of `mig`, which bins posterior means: an unused latent whose means
    still move a little has information there and none here.
    """
    sample = label_codes(means, factors, active)
    sample.refuse_continuous()
    spreads = label_codes(logvars, factors).codes
    if spreads.shape != sample.codes.shape:
        raise CausalVAEError(
            "CV510",
            f"Means have shape {sample.codes.shape} and log-variances {spreads.shape}.",
            "Give one log-variance for every mean.",
            "logvars",
        )
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(sample.codes.shape)
    chosen = np.sort(rng.permutation(len(noise))[:samples])
    information = np.full((sample.codes.shape[1], len(sample.sizes)), np.nan)
    for latent in np.flatnonzero(sample.active):
        mean, deviation = sample.codes[:, latent], np.exp(0.5 * spreads[:, latent])
        drawn = mean[chosen] + deviation[chosen] * noise[chosen, latent]
        information[latent] = _inform(drawn, mean, deviation, sample, chosen)
    return gap(information, measure_entropy(sample), f"densities at {len(chosen)} posterior samples")


def _inform(
    drawn: FloatArray, mean: FloatArray, deviation: FloatArray, sample: LabelledCodes, chosen: npt.NDArray[np.intp]
) -> FloatArray:
    """Information of one latent on every factor, shape (n_factors,), from draws, shape (s,)."""
    members = [levels[:, None] == np.arange(size) for levels, size in zip(sample.levels.T, sample.sizes, strict=True)]
    shares = [member / member.sum(axis=0) for member in members]
    total = np.zeros(len(shares))
    rows = max(1, _CHUNK_ELEMENTS // len(mean))
    for start in range(0, len(drawn), rows):
        part = slice(start, start + rows)
        logs = -0.5 * np.square((drawn[part, None] - mean) / deviation) - np.log(deviation)
        # The largest density of a row is a factor of both mixtures and cancels between them.
        density = np.exp(logs - logs.max(axis=1, keepdims=True))
        marginal = np.log(density.mean(axis=1))
        for factor, share in enumerate(shares):
            own = sample.levels[chosen[part], factor]
            within = (density @ share)[np.arange(len(own)), own]
            total[factor] += (np.log(within) - marginal).sum()
    return total / len(drawn)
