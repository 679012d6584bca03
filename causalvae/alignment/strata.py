"""Associations within strata of the other labels, for data that do not tell what a sample would have been.

Within samples that agree in all other declared factors, an attribute is regressed on indicators of the levels of one
factor. With coefficients b, their covariance V and level shares p, the mean square change under an unrelated redraw of
the factor is b'Cb, C = 2 (diag p - p p'), and b'Cb - tr(CV) estimates it without bias. It is an effect only if no cause
of the attribute that varies with the factor is missing among the labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Fewer degrees of freedom or more levels than these tell nothing.
_FEWEST = 30
_MOST_LEVELS = 50
# A variance below this part of the effect is rounding.
_EXACT = 1e-12


@dataclass(frozen=True)
class Association:
    """Coefficients of a factor's levels within strata.

    Parameters
    ----------
    levels : float array, shape (k,)
    coefficients : float array, shape (k,)
        The first is 0.
    covariance : float array, shape (k, k)
    weights : float array, shape (k, k)
        C, see the module.
    n : int
        Samples.
    """

    levels: FloatArray
    coefficients: FloatArray
    covariance: FloatArray
    weights: FloatArray
    n: int

    @property
    def mean_square(self) -> float:
        """Unbiased mean square change under a redraw of the factor; it may be below zero."""
        b = self.coefficients
        return float(b @ self.weights @ b - np.trace(self.weights @ self.covariance))

    @property
    def effect(self) -> float:
        """Signed root of `mean_square`: below zero where chance alone gives more."""
        return float(np.sign(self.mean_square) * np.sqrt(abs(self.mean_square)))

    @property
    def error(self) -> float:
        """Standard error of `effect` along the coefficients' direction; in all directions where they are zero."""
        b, c, v = self.coefficients, self.weights, self.covariance
        size = float(b @ c @ b)
        square = float(b @ c @ v @ c @ b) / size if size > 0 else float(np.trace(c @ v))
        return float(np.sqrt(max(square, 0.0)))

    def interval(self, confidence: float) -> tuple[float, float, float]:
        """Root mean square change with the ends of its normal interval, cut off at zero."""
        from scipy.special import ndtri

        reach = float(ndtri((1 + confidence) / 2)) * self.error
        value, lower, upper = (max(end, 0.0) for end in (self.effect, self.effect - reach, self.effect + reach))
        return value, lower, upper

    def weigh(self, bound: float) -> tuple[float, float]:
        """p-values against a root mean square change of at most, and of at least, `bound`.

        b'Cb is compared with its distribution at the bound, a noncentral chi-squared one times a factor; factor and
        degrees of freedom are those that give it its mean and variance where there is no effect (Satterthwaite 1946).
        """
        from scipy.special import chndtr

        spread = self.weights @ self.covariance
        mean, square = float(np.trace(spread)), float(np.trace(spread @ spread))
        size = float(self.coefficients @ self.weights @ self.coefficients)
        if square <= 0.0 or mean <= _EXACT * size:
            return weigh_normal(size - bound**2, 0.0)
        factor, freedom = square / mean, mean**2 / square
        below = float(chndtr(size / factor, freedom, bound**2 / factor))
        return 1.0 - below, below

    def change(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """What a change of the factor's value is associated with: shape (n,)."""
        here, there = (np.searchsorted(self.levels, values) for values in (before, after))
        return np.asarray(self.coefficients[there] - self.coefficients[here])


def weigh_normal(excess: float, error: float) -> tuple[float, float]:
    """p-values of an estimate against zero and below, and against zero and above."""
    from scipy.special import ndtr

    if error == 0.0:
        return (0.0, 1.0) if excess > 0 else (1.0, 0.0)
    return float(ndtr(-excess / error)), float(ndtr(excess / error))


@dataclass(frozen=True)
class Strata:
    """One factor within the joint levels of the others.

    Parameters
    ----------
    factor : float array, shape (n,)
    cells : int array, shape (n,)
        Which stratum each sample is in.
    """

    factor: FloatArray
    cells: npt.NDArray[np.int64]

    @classmethod
    def of(cls, factor: FloatArray, others: FloatArray) -> Strata:
        """Strata of the joint values of `others`, shape (n, k)."""
        if not others.shape[1]:
            return cls(factor, np.zeros(len(factor), dtype=np.int64))
        return cls(factor, np.unique(others, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64))

    def regress(self, values: FloatArray) -> Association | None:
        """The association with `values`, shape (n,); None where the samples do not determine it."""
        known = np.isfinite(values)
        factor, values = self.factor[known], values[known]
        levels, level = np.unique(factor, return_inverse=True)
        cells = np.unique(self.cells[known], return_inverse=True)[1]
        freedom = len(values) - (int(cells.max(initial=-1)) + 1) - (len(levels) - 1)
        if not 2 <= len(levels) <= _MOST_LEVELS or freedom < _FEWEST:
            return None
        indicators = (level[:, None] == np.arange(1, len(levels))[None, :]).astype(np.float64)
        design, outcome = _centre(indicators, cells), _centre(values[:, None], cells)[:, 0]
        gram = design.T @ design
        if np.linalg.matrix_rank(gram) < len(gram):
            return None
        inverse = np.linalg.inv(gram)
        slopes = inverse @ design.T @ outcome
        residual = outcome - design @ slopes
        covariance = np.zeros((len(levels), len(levels)))
        covariance[1:, 1:] = inverse * float(residual @ residual) / freedom
        shares = np.bincount(level) / len(level)
        weights = 2 * (np.diag(shares) - np.outer(shares, shares))
        return Association(levels, np.concatenate([[0.0], slopes]), covariance, weights, len(values))


def _centre(values: FloatArray, cells: npt.NDArray[np.int64]) -> FloatArray:
    counts = np.bincount(cells)
    means = np.stack([np.bincount(cells, column) / counts for column in values.T], axis=1)
    return np.asarray(values - means[cells])
