"""How far two measures rank networks alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from causalvae.comparison.types import RankCorrelation

FloatArray = npt.NDArray[np.float64]

_RESAMPLES = 2000
_PERMUTATIONS = 4999


def correlate_ranks(
    blocks: Sequence[FloatArray], data: str, left: str, right: str, rng: np.random.Generator
) -> RankCorrelation | None:
    """Spearman's correlation of two measures over networks, ranked within blocks and pooled.

    Parameters
    ----------
    blocks : sequence of float array, each of shape (n, 2)
        The two measures of the networks of one data set.
    data, left, right : str
        What the result calls the data and the measures.
    rng : Generator

    Returns
    -------
    RankCorrelation or None
        None where a measure is the same in all networks.
    """
    value = float(_pool([(block[None, :, 0], block[None, :, 1]) for block in blocks])[0])
    if not np.isfinite(value):
        return None
    chosen = [rng.integers(0, len(block), (_RESAMPLES, len(block))) for block in blocks]
    resampled = _pool([(block[rows, 0], block[rows, 1]) for block, rows in zip(blocks, chosen, strict=True)])
    lower, upper = np.quantile(resampled[np.isfinite(resampled)], (0.025, 0.975))
    shuffled = _pool(
        [(block[None, :, 0], rng.permuted(np.tile(block[:, 1], (_PERMUTATIONS, 1)), axis=1)) for block in blocks]
    )
    as_far = int(np.count_nonzero(np.abs(shuffled) >= abs(value) - 1e-12))
    p_value = (1 + as_far) / (_PERMUTATIONS + 1)
    n = sum(len(block) for block in blocks)
    return RankCorrelation(data, left, right, value, float(lower), float(upper), p_value, n)


def least_p(networks: int) -> float:
    """The smallest two-sided p-value that permuting so many networks can give: 2 / n!, of perfect order either way."""
    return min(1.0, 2 / math.factorial(networks))


def _pool(blocks: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Pearson's correlation of ranks that were taken and centred within blocks, for each row of the blocks' arrays."""
    left, right = ([_centred(block[side]) for block in blocks] for side in (0, 1))
    products = sum((a * b).sum(axis=1) for a, b in zip(left, right, strict=True))
    squares = [sum((part**2).sum(axis=1) for part in parts) for parts in (left, right)]
    norm = np.sqrt(squares[0] * squares[1])
    undefined = np.full(np.broadcast(products, norm).shape, np.nan)
    return np.asarray(np.divide(products, norm, out=undefined, where=norm > 0))


def _centred(values: FloatArray) -> FloatArray:
    """Mid-ranks along the rows, less their mean, over their number: blocks of any size then weigh alike a network."""
    from scipy.stats import rankdata

    ranks = np.asarray(rankdata(values, axis=1), dtype=np.float64)
    centred: FloatArray = (ranks - ranks.mean(axis=1, keepdims=True)) / values.shape[1]
    return centred
