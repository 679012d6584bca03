"""Studentised intervals of smooth functions of several means: breadths and entropies of effects, modularity.

With m the means over pairs and f the function, each pair's influence on f(m) is to first order sum_j g_j (x_ij - m_j) /
n_j, g the gradient of f at m and n_j the pairs in which x_j is defined; the standard error is the root of the sum of
their squares (the delta method). A resample's own error takes the gradient at the resample's own means: with that of
the estimate in its place the intervals of a breadth hold the truth less often than BCa ones do.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from causalvae.effects.bootstrap import FloatArray, Interval, PairedBootstrap, join_intervals, studentise

# This many products of columns are resampled at once.
_PRODUCTS = 1000
_BLOCK = 128
# Up to this many columns their products are fewer to add up than resamples times pairs.
_FEW = 32


class SmoothFunction(Protocol):
    """A function of m means, for k statistics and r sets of means at once."""

    limits: tuple[float, float]

    def value(self, means: FloatArray) -> FloatArray:
        """(k, m, r) -> (k, r); NaN where undefined. A mean that is NaN is of a column without a value."""
        ...

    def gradient(self, means: FloatArray) -> FloatArray:
        """(k, m, r) -> (k, m, r); zero or NaN for a mean that has no part in the value."""
        ...


def smooth_intervals(columns: FloatArray, function: SmoothFunction, bootstrap: PairedBootstrap) -> Interval:
    """Intervals of `function` of the means of each of k sets of m columns.

    Parameters
    ----------
    columns : float array, shape (k, m, n)
        Per-pair values; not finite where one is undefined, and omitted there.
    function : SmoothFunction
        Its `limits` are the least and the greatest value that it can take.
    bootstrap : PairedBootstrap
        Over the n pairs.

    Returns
    -------
    Interval
        Studentised as `PairedBootstrap` has it, and BCa where too many resamples have no spread of their own
        or `bootstrap` is to give it.
    """
    m = columns.shape[1]
    chunk = max(1, _PRODUCTS // (m * (m + 1) // 2))
    starts = range(0, max(len(columns), 1), chunk)
    return join_intervals([_some(columns[start : start + chunk], function, bootstrap) for start in starts])


def _some(columns: FloatArray, function: SmoothFunction, bootstrap: PairedBootstrap) -> Interval:
    k, m, n = columns.shape
    known = np.isfinite(columns)
    total = known.sum(axis=2).astype(np.float64)
    top = np.where(known, columns, 0.0)
    means = np.full((k, m), np.nan)
    np.divide(top.sum(axis=2), total, out=means, where=total > 0)
    value = function.value(means[:, :, None])[:, 0]
    # Departures from the estimate's means lose no digits where influences of large columns cancel.
    rest = np.where(known, columns - np.nan_to_num(means)[:, :, None], 0.0)
    flat, counts = rest.reshape(k * m, n), None if known.all() else known.reshape(k * m, n).astype(np.float64)
    moved = bootstrap.replicates(flat, counts).reshape(k, m, -1)
    drawn = means[:, :, None] + moved
    off = function.value(drawn) - value[:, None]

    # Of a column that a resample lacks, neither the gradient nor the mean counts.
    slopes = np.nan_to_num(function.gradient(drawn))
    if counts is None and m <= _FEW:
        spread = _errors_by_products(rest, slopes / n, moved, bootstrap.weights)
    else:
        held = None if counts is None else counts.reshape(k, m, n)
        seen = np.full_like(moved, n) if counts is None else (counts @ bootstrap.weights.T).reshape(moved.shape)
        slopes = np.divide(slopes, seen, out=np.zeros_like(slopes), where=seen > 0)
        spread = _errors_by_influence(rest, held, slopes, np.nan_to_num(moved), bootstrap.weights)
    slope = np.nan_to_num(function.gradient(means[:, :, None]))[:, :, 0] / np.maximum(total, 1.0)
    square = (np.einsum("km,kmn->kn", slope, rest) ** 2).sum(axis=1)
    # The column with the fewest pairs is the one that the level must do justice to.
    pairs = np.where(total > 0, total, n).min(axis=1)
    found = bootstrap.studentised(value, np.sqrt(square), studentise(off, spread, square[:, None]), pairs)
    lower, upper, kinds = found.lower, found.upper, found.kinds
    lost = bootstrap.wants_bca(found)
    if lost.any():
        chosen = np.repeat(lost, m)
        without = bootstrap.leave_one_out(flat[chosen], None if counts is None else counts[chosen]).reshape(-1, m, n)
        others = function.value(means[lost][:, :, None] + without)
        instead = bootstrap.interval(value[lost], value[lost, None] + off[lost], others, pairs[lost])
        lower[lost], upper[lost], kinds[lost] = instead.lower, instead.upper, instead.kinds
    return Interval(value, np.clip(lower, *function.limits), np.clip(upper, *function.limits), kinds)


def _errors_by_products(rest: FloatArray, slopes: FloatArray, moved: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum over pairs of weight times squared influence, shape (k, r), from resampled products of few whole columns."""
    first, second = np.triu_indices(rest.shape[1])
    n = rest.shape[2]
    products = (rest[:, first] * rest[:, second]).reshape(-1, n) @ weights.T
    # Each product of two columns counts from both sides.
    both = slopes[:, first] * slopes[:, second] * np.where(first == second, 1.0, 2.0)[:, None]
    whole = np.einsum("kpr,kpr->kr", both, products.reshape(both.shape))
    return np.asarray(np.maximum(whole - n * np.einsum("kmr,kmr->kr", slopes, moved) ** 2, 0.0))


def _errors_by_influence(
    rest: FloatArray, known: FloatArray | None, slopes: FloatArray, moved: FloatArray, weights: FloatArray
) -> FloatArray:
    """The same for many columns, or for some with undefined pairs, pair by pair."""
    spread = np.empty((len(rest), len(weights)))
    shifts = slopes * moved
    for k, columns in enumerate(rest):
        # Blocks of resamples, so that one block's influences stay in the cache.
        for start in range(0, len(weights), _BLOCK):
            part = slice(start, start + _BLOCK)
            influence = slopes[k, :, part].T @ columns
            here = shifts[k, :, part].T
            influence -= here.sum(axis=1, keepdims=True) if known is None else here @ known[k]
            np.square(influence, out=influence)
            spread[k, part] = np.einsum("rn,rn->r", influence, weights[part])
    return spread


class EffectEntropy:
    """H in nats of effect sizes divided by their sum, of mean squares: sizes are their roots.

    dH/d(size_j) = -(log p_j + H) / sum of sizes, d(size_j)/d(mean_j) = 1 / (2 size_j).
    """

    def __init__(self, outcomes: int) -> None:
        self.limits = 0.0, float(np.log(outcomes))

    def value(self, means: FloatArray) -> FloatArray:
        """NaN where all means are zero or without a value."""
        return self._parts(means)[2][:, 0]

    def gradient(self, means: FloatArray) -> FloatArray:
        """By each mean; zero for one that is zero, whose pairs are all zero."""
        sizes, logs, entropy, total = self._parts(means)
        slope = np.zeros_like(sizes)
        np.divide(-(logs + entropy), 2 * total * sizes, out=slope, where=(sizes > 0) & (total > 0))
        return slope

    def _parts(self, means: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        # What is left of a sum of squares without one of them may fall below zero by rounding.
        sizes = np.sqrt(np.maximum(np.nan_to_num(means), 0.0))
        total = sizes.sum(axis=1, keepdims=True)
        share = np.full_like(sizes, np.nan)
        np.divide(sizes, total, out=share, where=total > 0)
        logs = np.zeros_like(share)
        np.log(share, out=logs, where=share > 0)
        # One share of 1 has no entropy; rounding must not take it below.
        entropy = np.maximum(-(share * logs).sum(axis=1, keepdims=True), 0.0)
        return sizes, logs, entropy, total


class EffectBreadth(EffectEntropy):
    """exp(H): how many outcomes an effect is spread over, were it spread evenly."""

    def __init__(self, outcomes: int) -> None:
        self.limits = 1.0, float(outcomes)

    def value(self, means: FloatArray) -> FloatArray:
        """NaN where all means are zero or without a value."""
        return np.exp(super().value(means))

    def gradient(self, means: FloatArray) -> FloatArray:
        """By each mean."""
        return np.asarray(super().gradient(means) * self.value(means)[:, None])


class OneMinusMean:
    """1 less the mean of those means that have a value."""

    limits = (0.0, 1.0)

    def value(self, means: FloatArray) -> FloatArray:
        """NaN where no mean has a value."""
        known = np.isfinite(means)
        result = np.full((means.shape[0], means.shape[2]), np.nan)
        np.divide(np.where(known, means, 0.0).sum(axis=1), known.sum(axis=1), out=result, where=known.any(axis=1))
        return 1 - result

    def gradient(self, means: FloatArray) -> FloatArray:
        """The same for all that have a value."""
        known = np.isfinite(means)
        return np.asarray(np.where(known, -1.0 / np.maximum(known.sum(axis=1, keepdims=True), 1), 0.0))
