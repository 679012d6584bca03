"""How large a conditional dependence is, in the unit of an intervention, and whether it is shown to be small.

A test of independence that does not reject shows nothing: with few samples it rarely does. Here x is regressed on the
given variables, y is, and the residuals of y on those of x. With the coefficient b, e = sqrt(2) |b| s_x / s_y is the
root mean square change of y, in its standard deviations, under an unrelated redraw of x, if all of b is causal: the
unit of `alignment.tolerance`. It is shown to be small by two one-sided tests (Lakens 2017) with a sandwich error (White
1980). A variable of several numbers, such as the indicators of levels, has a matrix of coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from causalvae.alignment.conditional import Conditioner
from causalvae.alignment.strata import Association, weigh_normal
from causalvae.alignment.variables import Variable, as_numbers

POWER: Final = 0.9
LEVEL: Final = 0.05
# More coefficients than these take more samples than a run has.
_MOST_COEFFICIENTS = 64


@dataclass(frozen=True)
class DependenceSize:
    """The size of a dependence.

    Parameters
    ----------
    value, lower, upper : float
        e and its interval.
    p_small : float
        p-value against an effect of at least the bound.
    needed : int
        Samples that show a true independence with a power of 0.9 at a level of 0.05:
        2 lambda / bound^2 (1 - R_y^2) / (1 - R_x^2), where lambda = 10.8 for one coefficient, so 2,165 for a bound of
        0.1 and nothing given.
    """

    value: float
    lower: float
    upper: float
    p_small: float
    needed: int


def measure_size(
    x: Variable, y: Variable, given: Conditioner, bound: float, confidence: float = 0.95
) -> DependenceSize | None:
    """The size of the dependence of `y` on `x` given the variables of `given`.

    Returns
    -------
    DependenceSize or None
        None where the given variables determine a part of `x`, or where there are too many coefficients.
    """
    from scipy.special import ndtri

    cause, left, right = as_numbers(x), given.remainder(x).numbers, given.remainder(y).numbers
    if x.kind == "categorical":
        # The last level is where all other indicators are zero.
        cause, left = cause[:, :-1], left[:, :-1]
    gram = left.T @ left
    count = left.shape[1] * right.shape[1]
    if count > _MOST_COEFFICIENTS or np.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        return None
    inverse = np.linalg.inv(gram)
    slopes = inverse @ left.T @ right
    scores = (left[:, :, None] * (right - left @ slopes)[:, None, :]).reshape(len(left), count)
    spread = np.kron(inverse, np.eye(right.shape[1]))
    covariance = spread @ (scores.T @ scores) @ spread.T
    weights = np.kron(2 * np.atleast_2d(np.cov(cause, rowvar=False, bias=True)), np.eye(right.shape[1]))
    found = Association(np.zeros(0), slopes.ravel(), covariance, np.asarray(weights, dtype=np.float64), len(left))
    kept = float(right.var(axis=0).sum() * cause.var(axis=0).sum() / left.var(axis=0).sum())
    needed = 2 * _noncentrality(count) / right.shape[1] * kept / bound**2
    if count == 1:
        value = float(np.sqrt(weights[0, 0]) * abs(slopes[0, 0]))
        reach = float(ndtri((1 + confidence) / 2)) * found.error
        small = weigh_normal(value - bound, found.error)[1]
        return DependenceSize(value, max(value - reach, 0.0), value + reach, small, int(needed) + 1)
    value, lower, upper = found.interval(confidence)
    return DependenceSize(value, lower, upper, found.weigh(bound)[1], int(needed) + 1)


def _noncentrality(freedom: int) -> float:
    """Of the chi-squared distribution at the bound where the test has its power without an effect."""
    from scipy.special import chdtri, chndtrinc

    return float(chndtrinc(chdtri(freedom, 1 - POWER), freedom, LEVEL))
