"""Paired t-tests, vectorised.

Why t and not sign flips: the null hypothesis is about the mean, which is what is reported, and not about symmetry; the
p-value is not floored by a number of permutations, so that a correction over thousands of components can still find
something; and with the tens to hundreds of pairs of a run its size is near the nominal one for skewed differences too
(`tests/effects/test_significance.py` measures it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import Ends

FloatArray = npt.NDArray[np.float64]

# A spread this small against the mean is rounding: the values are one value.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class TTest:
    """One-sample t-tests of mean zero, one a row.

    Parameters
    ----------
    mean, sd : float array, shape (k,)
        Of the per-pair values.
    n : int array, shape (k,)
        Pairs with a defined (finite) value.
    p_greater, p_less, p_two_sided : float array, shape (k,)
        Against the mean being at most, at least, and exactly zero.
    """

    mean: FloatArray
    sd: FloatArray
    n: npt.NDArray[np.int64]
    p_greater: FloatArray
    p_less: FloatArray
    p_two_sided: FloatArray


def t_test(values: FloatArray) -> TTest:
    """Test the mean of each row of `values`, shape (k, n), against zero; values that are not finite are omitted.

    Rows that do not vary have no t statistic: all zero gives p = 1; one value other than zero gives the exact p of the
    sign-flip test, 2^-n one-sided. Rows with fewer than two pairs give p = 1.
    """
    from scipy.special import stdtr

    finite = np.isfinite(values)
    n = finite.sum(axis=1)
    counted = np.maximum(n, 1)
    known = values if finite.all() else np.where(finite, values, 0.0)
    mean = known.sum(axis=1) / counted
    centred = np.where(finite, known - mean[:, None], 0.0)
    sd = np.sqrt(np.einsum("kn,kn->k", centred, centred) / np.maximum(n - 1, 1))
    varies = (sd > _CONSTANT * np.abs(mean)) & (n > 1)
    t = np.zeros_like(mean)
    np.divide(mean * np.sqrt(n), sd, out=t, where=varies)
    freedom = np.maximum(n - 1, 1)
    floor = np.where(n > 1, 0.5**counted, 1.0)
    greater = np.where(varies, stdtr(freedom, -t), np.where(mean > 0, floor, 1.0))
    less = np.where(varies, stdtr(freedom, t), np.where(mean < 0, floor, 1.0))
    return TTest(mean, sd, n, greater, less, np.minimum(1.0, 2 * np.minimum(greater, less)))


def mean_vector_test(values: FloatArray) -> float:
    """Hotelling's test of a zero mean vector (Hotelling 1931), two-sided p-value.

    Parameters
    ----------
    values : float array, shape (components, n)
        Finite. Components that do not vary apart from one another count as fewer.

    Notes
    -----
    T^2 = n m' S^-1 m, and T^2 (n - r) / (r (n - 1)) has an F distribution with r and n - r degrees of freedom, r the
    rank of S. 1 where there are no more pairs than components. A mean other than zero across all that varies is one
    value in every pair: at most the exact p of the sign-flip test, 2^(1 - n).
    """
    from scipy.special import fdtrc

    n, mean = values.shape[1], values.mean(axis=1)
    if n < 2 or not mean.any():
        return 1.0
    centred = values - mean[:, None]
    sizes, directions = np.linalg.eigh(centred @ centred.T / (n - 1))
    moving = sizes > _CONSTANT * max(float(sizes.max()), float(mean @ mean))
    rank = int(moving.sum())
    within = directions[:, moving].T @ mean
    rest = float(mean @ mean) - float(within @ within)
    floor = min(1.0, 2.0 * 0.5**n) if rest > _CONSTANT * float(mean @ mean) else 1.0
    if rank == 0 or n <= len(values):
        return floor if rank == 0 else 1.0
    square = n * float((within**2 / sizes[moving]).sum())
    return min(floor, float(fdtrc(rank, n - rank, square * (n - rank) / (rank * (n - 1)))))


def exact_interval(hits: int, n: int, confidence: float) -> Ends:
    """The interval of Clopper & Pearson 1934 for a share of independent draws: right also where all or none hit."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    lower = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    upper = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return Ends(lower, upper)
