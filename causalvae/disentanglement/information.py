"""Mutual information between binned codes and factors, in nats."""

from __future__ import annotations

import numpy as np

from causalvae.disentanglement.arrays import FloatArray, IntArray, LabelledCodes

# What a table of independent variables gives for rounding alone; modularity divides by squares of these.
_ROUNDING = 1e-12


def discretise(values: FloatArray, bins: int = 20) -> IntArray:
    """Equal-width bins of each column, between its least and greatest value.

    Parameters
    ----------
    values : float array, shape (n, d)
    bins : int, default 20

    Returns
    -------
    int array, shape (n, d)
        Bin numbers from 0 to bins - 1; a constant column is in one bin.

    Notes
    -----
    The discretisation of disentanglement_lib (Locatello et al. 2019): ``digitize(x, histogram_bin_edges(x)[:-1])``. A
    single outlier widens every bin.
    """
    binned = np.empty(values.shape, dtype=np.int64)
    for column in range(values.shape[1]):
        edges = np.histogram_bin_edges(values[:, column], bins)
        binned[:, column] = np.digitize(values[:, column], edges[:-1]) - 1
    return binned


def tabulate(left: IntArray, right: IntArray) -> FloatArray:
    """The table of two discrete variables, int arrays of shape (n,): how often each pair of values occurs.

    Returns
    -------
    float array, shape (left.max() + 1, right.max() + 1)
    """
    rows, columns = int(left.max()) + 1, int(right.max()) + 1
    counts = np.bincount(left * columns + right, minlength=rows * columns)
    return counts.astype(np.float64).reshape(rows, columns)


def inform(table: FloatArray) -> float:
    """Mutual information of a table of counts, in nats.

    I = sum p_ab log(p_ab / (p_a p_b)), the plug-in estimate.
    """
    joint = table / table.sum()
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    information = float((joint[filled] * np.log(joint[filled] / product[filled])).sum())
    return information if information > _ROUNDING else 0.0


def measure_information(sample: LabelledCodes, bins: int = 20) -> FloatArray:
    """Mutual information of every binned code with every factor.

    Parameters
    ----------
    sample : LabelledCodes
    bins : int, default 20

    Returns
    -------
    float array, shape (n_latents, n_factors)
        Nats; rows of latents that are not active are nan.
    """
    binned = discretise(sample.codes, bins)
    information = np.full((binned.shape[1], sample.levels.shape[1]), np.nan)
    for latent in np.flatnonzero(sample.active):
        for factor in range(information.shape[1]):
            information[latent, factor] = inform(tabulate(binned[:, latent], sample.levels[:, factor]))
    return information


def measure_entropy(sample: LabelledCodes) -> FloatArray:
    """Entropy of every factor: float array, shape (n_factors,), in nats."""
    return np.array([inform(tabulate(levels, levels)) for levels in sample.levels.T])
