"""Corrections of a family of p-values for its size."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

Correction = Literal["holm", "bh", "none"]


def adjust(p_values: npt.ArrayLike, correction: Correction) -> FloatArray:
    """Adjusted p-values: rejecting those of at most alpha holds the family's error at alpha.

    Parameters
    ----------
    p_values : array-like, shape (k,)
    correction : {"holm", "bh", "none"}
        holm: the chance of any false rejection, whatever the dependence (Holm 1979). bh: the expected share of
        false ones among the rejected (Benjamini and Hochberg 1995). none: each test on its own.

    Returns
    -------
    float array, shape (k,)
    """
    p = np.asarray(p_values, dtype=np.float64)
    k = len(p)
    if correction == "none" or k == 0:
        return p.copy()
    order = np.argsort(p, kind="stable")
    if correction == "holm":
        stepped = np.maximum.accumulate(p[order] * np.arange(k, 0, -1))
    else:
        stepped = np.minimum.accumulate((p[order] * k / np.arange(1, k + 1))[::-1])[::-1]
    adjusted = np.empty(k)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
