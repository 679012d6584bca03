"""Whether patched activations lie where clean ones do: Mahalanobis distances at the patched site.

A patch that mixes two inputs can make activations that no input makes, and a network may then do what it never does on
data (Makelov et al. 2023, arXiv 2311.17030).
"""

from __future__ import annotations

import numpy as np

from causalvae.circuits.types import Manifold
from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.counts import exact_limits

# Clean samples that the covariance takes for each number of a site's value.
SAMPLES_EACH = 5
# Of held-out clean activations, how many lie within the limit.
WITHIN = 0.99
# Fewer pairs outside than this are no warning.
_TOLERATED = 0.05
_CONFIDENCE = 0.95
# A direction in which clean activations vary less than this part of the widest one is taken to be this wide.
_THINNEST = 1e-8


def compare_with_clean(site: str, clean: FloatArray, patched: FloatArray, unpatched: FloatArray) -> Manifold | None:
    """The share of patched activations that lie farther out than held-out clean ones.

    Parameters
    ----------
    site : str
    clean : float array, shape (m, d)
        Clean activations of samples: the first half gives mean and covariance, the other half the limit.
    patched, unpatched : float array, shape (n, d)
        Activations of the pairs with the patch in place, and those of the clean runs that its values come from.

    Returns
    -------
    Manifold or None
        None where there are too few clean samples for this many numbers.

    Notes
    -----
    D^2(v) = (v - mean)' S^-1 (v - mean); v is outside if D exceeds the 99 % quantile of the held-out clean ones. It is
    a warning if the one-sided Clopper-Pearson limit shows more than 5 % of the pairs outside, and more than of the
    unpatched activations, which a treatment can carry outside as well.
    """
    half = len(clean) // 2
    if half < SAMPLES_EACH * clean.shape[1] or len(patched) == 0:
        return None
    mean, spread = clean[:half].mean(axis=0), np.atleast_2d(np.cov(clean[:half], rowvar=False))
    sizes, directions = np.linalg.eigh(spread)
    if sizes.max() <= 0:
        return None
    widths = np.sqrt(np.maximum(sizes, _THINNEST * sizes.max()))

    def distances(values: FloatArray) -> FloatArray:
        return np.asarray(np.linalg.norm((values - mean) @ directions / widths, axis=1))

    limit = float(np.quantile(distances(clean[half:]), WITHIN, method="higher"))
    outside = int((distances(patched) > limit).sum())
    baseline = float((distances(unpatched) > limit).mean())
    lower = exact_limits(outside, len(patched), _CONFIDENCE).lower
    return Manifold(
        site=site,
        outside=outside,
        n=len(patched),
        unpatched=baseline,
        dimension=clean.shape[1],
        samples=len(clean),
        within=WITHIN,
        is_off=lower > max(_TOLERATED, baseline),
    )
