"""Where the data are: the ellipse that holds 99 % of the observed factors.

Where factors are correlated, setting one and holding the others makes inputs such as no sample is. There even a correct
network seems to invent effects, so that network and mapping are judged inside the ellipse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalvae.engine.observed_columns import column_of

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

HELD = 0.99
# Correlations below it leave held inputs like the data.
_CORRELATED = 0.1


@dataclass(frozen=True)
class Ellipse:
    """Points within a Mahalanobis distance of the mean.

    Parameters
    ----------
    names : tuple of str
        The factors.
    mean : float array, shape (k,)
    precision : float array, shape (k, k)
    bound : float
        Greatest squared distance.
    """

    names: tuple[str, ...]
    mean: FloatArray
    precision: FloatArray
    bound: float

    def holds(self, table: pd.DataFrame, side: str) -> BoolArray:
        """Which rows lie inside, by their columns ``SIDE:factor:NAME``: shape (n,)."""
        values = np.stack([table[f"{side}:factor:{name}"].to_numpy(np.float64) for name in self.names], axis=1)
        return np.asarray(self.distances(values) <= self.bound)

    def distances(self, values: FloatArray) -> FloatArray:
        """Squared Mahalanobis distances of points, shape (n, k)."""
        centred = values - self.mean
        return np.asarray(np.einsum("ij,jk,ik->i", centred, self.precision, centred))


def fit_ellipse(observations: pd.DataFrame, names: Sequence[str]) -> tuple[Ellipse | None, float]:
    """The ellipse of the observed factors `names`, and the largest correlation between two of them.

    Parameters
    ----------
    observations : DataFrame
        Columns ``factor:NAME``.
    names : sequence of str
        Factors that are numbers; those that do not vary are omitted.

    Returns
    -------
    Ellipse or None
        None where no two factors are correlated. Its bound is the 99 % quantile of the samples' own distances, which
        needs no normal factors.
    float
    """
    columns = {name: observations[column_of("factor", name)].to_numpy(np.float64) for name in names}
    varying = tuple(name for name, values in columns.items() if np.ptp(values) > 0)
    if len(varying) < 2:
        return None, 0.0
    values = np.stack([columns[name] for name in varying], axis=1)
    correlations = np.corrcoef(values, rowvar=False) - np.eye(len(varying))
    largest = float(np.abs(correlations).max())
    if largest < _CORRELATED:
        return None, largest
    ellipse = Ellipse(varying, values.mean(axis=0), np.linalg.pinv(np.cov(values, rowvar=False)), np.inf)
    bound = float(np.quantile(ellipse.distances(values), HELD))
    return Ellipse(varying, ellipse.mean, ellipse.precision, bound), largest
