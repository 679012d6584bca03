"""Seeded, vectorised paired bootstrap: honest intervals of ratios of sums over pairs.

Every statistic of this package is a ratio of two sums over pairs, a mean (the second sum is the number of pairs) or a
smooth function of some (`causalvae.effects.smooth_intervals`). So one matrix of resampling counts, times columns of
per-pair values and of their products, gives all replicates of all statistics with the standard error of each at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
TextArray = npt.NDArray[np.str_]

STUDENTISED = "bootstrap-t"
BCA = "BCa"
ASKED_BCA = "BCa (asked)"
PERCENTILE = "percentile"
EXPANDED = "expanded percentile"
# With fewer pairs intervals of skewed effects leave 92 to 98 % in the simulations of docs/coverage.md.
FEW_PAIRS = 50

# Positions that are drawn at once.
_DRAWN = 4_000_000
_CHUNK = 64
# Replicates closer to the estimate than this part of it equal it, but for the order of their sums.
_TIE = 1e-12
# Stands for a replicate that differs from the estimate and has no spread of its own.
_ENDLESS = 1e100


class Ends(NamedTuple):
    """The ends of one interval and its kind (`Interval.kinds`), which is empty where it is no bootstrap's."""

    lower: float
    upper: float
    kind: str = ""


@dataclass(frozen=True)
class Interval:
    """Point estimates and interval ends of k statistics.

    Parameters
    ----------
    value, lower, upper : float array, shape (k,)
        An undefined one is NaN.
    kinds : str array, shape (k,)
        ``bootstrap-t``, ``BCa``, ``BCa (asked)``, ``expanded percentile`` or ``percentile``; see `PairedBootstrap`.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    kinds: TextArray

    def ends(self, k: int) -> Ends:
        """The `k`-th interval."""
        return Ends(float(self.lower[k]), float(self.upper[k]), str(self.kinds[k]))


@dataclass(frozen=True)
class PairedBootstrap:
    """Resampling of whole pairs, the same resamples for every statistic.

    Parameters
    ----------
    n : int
        Pairs.
    resamples : int
        Bootstrap resamples.
    confidence : float
        Coverage of the intervals, in (0, 1).
    seed : int
        Of the resampling.
    bca : bool
        Give BCa intervals everywhere, not only where studentised ones cannot be had.

    Notes
    -----
    *Studentised* (bootstrap-t; Efron and Tibshirani 1993, section 12.5; Hall 1988, "Theoretical comparison of bootstrap
    confidence intervals", Annals of Statistics 16). Of a ratio R = sum a / sum b with residuals d_i = a_i - R b_i the
    linearised standard error is s = sqrt(sum d_i^2) / |sum b|. A resample with counts w has u = sum w d / sum w b for
    its ratio less R, and of its own

        t = u / s*,   s* = sqrt(sum w (d - u b)^2) / |sum w b|.

    With t_p the p-th quantile of t over resamples the interval is R - t_{1 - p} s to R - t_p s. Where a sum is skewed,
    its spread grows with it, and t knows that, unlike the replicates alone. The level is *expanded* (Hesterberg 2015,
    "What teachers should know about the bootstrap", The American Statistician 69): p is that of the normal quantile
    sqrt(n / (n - 1)) t_{n - 1}, which resampling n pairs with a plug-in spread would need were they normal; at 512
    pairs it widens by less than one part in 100. A ratio with denominators that are never negative is a weighted mean
    of the pairs' ratios, so its interval ends where those end; natural limits hold of themselves.

    *BCa* at the expanded level (Efron 1987, "Better bootstrap confidence intervals", JASA 82) where this many resamples
    have no spread that a quantile of t is without end: of effects that few pairs have. With G the distribution of the
    replicates and Phi the normal one, z0 = Phi^-1(G(estimate)), ties counting half, and

        a = sum_i d_i^3 / (6 (sum_i d_i^2)^(3/2)),   d_i = mean of all leave-one-out estimates - the i-th,

    the end at nominal level p is G^-1(Phi(z0 + (z0 + z_p) / (1 - a (z0 + z_p)))). Quantiles are interpolated linearly.
    *Percentile* (z0 = a = 0) where z0 or a is undefined or the denominator is not positive, as for values all alike.
    """

    n: int
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0
    bca: bool = False

    @cached_property
    def weights(self) -> FloatArray:
        """How often each pair is in each resample, shape (resamples, n)."""
        rng = np.random.default_rng(self.seed)
        counts = np.empty((self.resamples, self.n))
        # In parts, which draws the same: all positions at once would take three times as much memory as the counts.
        step = max(1, _DRAWN // max(self.n, 1))
        for first in range(0, self.resamples, step):
            part = counts[first : first + step]
            drawn = rng.integers(0, self.n, part.shape)
            drawn += self.n * np.arange(len(part))[:, None]
            part[:] = np.bincount(drawn.ravel(), minlength=part.size).reshape(part.shape)
        return counts

    def replicates(self, numerator: FloatArray, denominator: FloatArray | None = None) -> FloatArray:
        """Ratios of resampled sums.

        Parameters
        ----------
        numerator : float array, shape (k, n)
            Per-pair values of k statistics.
        denominator : float array, shape (k, n), optional
            Per-pair values below the line; ones if omitted.

        Returns
        -------
        float array, shape (k, resamples)
            NaN where a resampled denominator is zero.
        """
        top = numerator @ self.weights.T
        if denominator is None:
            return np.asarray(top / self.n)
        return _divide(top, denominator @ self.weights.T)

    def leave_one_out(self, numerator: FloatArray, denominator: FloatArray | None = None) -> FloatArray:
        """Ratios of sums over all pairs but one, shape (k, n); parameters as in `replicates`.

        NaN where the other pairs' denominator is zero, or is rounding compared with the omitted pair's.
        """
        top = numerator.sum(axis=1, keepdims=True) - numerator
        if denominator is None:
            # Fewer than two pairs leave nothing behind.
            return np.asarray(top / (self.n - 1)) if self.n > 1 else np.full_like(top, np.nan)
        bottom = denominator.sum(axis=1, keepdims=True) - denominator
        bottom = np.where(np.abs(bottom) > _TIE * np.abs(denominator), bottom, 0.0)
        return _divide(top, bottom)

    def ratio(self, numerator: FloatArray, denominator: FloatArray | None = None) -> Interval:
        """Ratios of sums with their studentised intervals; parameters as in `replicates`."""
        if denominator is None and not self.bca:
            still = np.asarray((numerator == numerator[:, :1]).all(axis=1))
            if still.any():
                # The mean of equal values has no error, and most units of a convolution change nothing.
                value = numerator.mean(axis=1)
                found = Interval(value, value.copy(), value.copy(), np.full(len(value), PERCENTILE, "<U19"))
                if not still.all():
                    rest = self.ratio(numerator[~still])
                    found.value[~still], found.lower[~still], found.upper[~still] = rest.value, rest.lower, rest.upper
                    found.kinds[~still] = rest.kinds
                return found
        parts = []
        for start in range(0, max(len(numerator), 1), _CHUNK):
            some = slice(start, start + _CHUNK)
            parts.append(self._ratio(numerator[some], None if denominator is None else denominator[some]))
        return parts[0] if len(parts) == 1 else join_intervals(parts)

    def percentiles(self, numerator: FloatArray, denominator: FloatArray | None = None) -> Interval:
        """Ratios of sums with the percentile intervals of their replicates at the expanded level, or BCa if `bca`.

        For ratios whose pairs are bounded anyway: their replicates are hardly skewed, and a standard error of each
        resample adds nothing but noise (docs/coverage.md). Parameters as in `replicates`.
        """
        from scipy.special import ndtr

        if self.bca:
            return self.ratio(numerator, denominator)
        value = numerator.mean(axis=1) if denominator is None else _divide(numerator.sum(1), denominator.sum(1))
        ordered = np.sort(self.replicates(numerator, denominator), axis=1)
        known = np.isfinite(ordered).sum(axis=1)
        pairs = None if denominator is None else ((numerator != 0) | (denominator != 0)).sum(axis=1).astype(np.float64)
        lower, upper = _quantiles(ordered, known, ndtr(self._normal_ends(len(value), pairs))).T
        return Interval(value, lower, upper, np.full(len(value), EXPANDED))

    def studentised(
        self, value: FloatArray, error: FloatArray, t: FloatArray, pairs: FloatArray | None = None
    ) -> Interval:
        """Intervals from studentised replicates.

        Parameters
        ----------
        value, error : float array, shape (k,)
            Estimates, and their standard errors as the replicates have them.
        t : float array, shape (k, resamples)
            Replicates less the estimate, in their own standard errors (see `studentise`); undefined ones are omitted.
        pairs : float array, shape (k,), optional
            How many pairs each statistic has; all of them if omitted.

        Returns
        -------
        Interval
            An end is NaN where the resamples do not determine it, and both are the estimate where that has no error.
        """
        from scipy.special import ndtr

        ordered = np.sort(t, axis=1)
        known = np.isfinite(ordered).sum(axis=1)
        found = _quantiles(ordered, known, ndtr(self._normal_ends(len(value), pairs)))
        found = np.where(np.abs(found) < _ENDLESS / 2, found, np.nan)
        alike = error <= _TIE * np.abs(value)
        lower, upper = (np.where(alike, value, value - found[:, end] * error) for end in (1, 0))
        return Interval(value, lower, upper, np.where(alike, PERCENTILE, STUDENTISED))

    def interval(
        self, value: FloatArray, replicates: FloatArray, leave_one_out: FloatArray, pairs: FloatArray | None = None
    ) -> Interval:
        """BCa intervals at the expanded level, of any statistics.

        Parameters
        ----------
        value : float array, shape (k,)
            Estimates.
        replicates : float array, shape (k, resamples)
            Of the estimates; undefined ones are omitted.
        leave_one_out : float array, shape (k, n)
            The estimates without each pair.
        pairs : float array, shape (k,), optional
            How many pairs each statistic has; all of them if omitted.
        """
        from scipy.special import ndtr, ndtri

        ordered = np.sort(np.where(np.isfinite(replicates), replicates, np.nan), axis=1)
        known = np.isfinite(ordered).sum(axis=1)
        slack = _TIE * np.abs(value)[:, None]
        centre = value[:, None]
        share = np.full(len(value), np.nan)
        counted = (ordered < centre - slack).sum(axis=1) + (ordered <= centre + slack).sum(axis=1)
        np.divide(counted, 2.0 * known, out=share, where=known > 0)
        bias, acceleration = ndtri(share), _acceleration(value, leave_one_out)

        nominal = self._normal_ends(len(value), pairs)
        corrected = np.isfinite(bias) & np.isfinite(acceleration)
        bias, acceleration = np.where(corrected, bias, 0.0)[:, None], np.where(corrected, acceleration, 0.0)[:, None]
        shifted = bias + nominal
        shrink = 1 - acceleration * shifted
        corrected &= (shrink > 0).all(axis=1)
        levels = np.where(corrected[:, None], ndtr(bias + shifted / np.where(shrink > 0, shrink, 1.0)), ndtr(nominal))
        lower, upper = _quantiles(ordered, known, levels).T
        return Interval(value, lower, upper, np.where(corrected, ASKED_BCA if self.bca else BCA, PERCENTILE))

    def wants_bca(self, found: Interval) -> BoolArray:
        """Which statistics get BCa intervals in place of their studentised ones, shape (k,)."""
        undefined = ~np.isfinite(found.lower + found.upper)
        return np.asarray((undefined | self.bca) & np.isfinite(found.value))

    def _normal_ends(self, k: int, pairs: FloatArray | None) -> FloatArray:
        """The normal quantiles at both expanded levels of k statistics, shape (k, 2)."""
        from scipy.special import stdtrit

        n = np.maximum(np.full(k, float(self.n)) if pairs is None else pairs, 2.0)
        reach = stdtrit(n - 1, (1 + self.confidence) / 2) * np.sqrt(n / (n - 1))
        return np.stack([-reach, reach], axis=1)

    def _ratio(self, top: FloatArray, bottom: FloatArray | None) -> Interval:
        weights = self.weights.T
        if bottom is None:
            value, total, pairs = top.mean(axis=1), np.full(len(top), float(self.n)), None
            rest = top - value[:, None]
            above = rest @ weights
            off = above / self.n
            square = (rest * rest) @ weights
            spread = square - above * off
            sign = np.ones((1, 1))
            least, most = top.min(axis=1), top.max(axis=1)
        else:
            total = bottom.sum(axis=1)
            value, pairs = _divide(top.sum(axis=1), total), ((top != 0) | (bottom != 0)).sum(axis=1).astype(np.float64)
            rest = np.nan_to_num(top - value[:, None] * bottom)
            above, below = rest @ weights, bottom @ weights
            off, sign = _divide(above, below), np.sign(below)
            square = (rest * rest) @ weights
            if ((bottom == 0) | (bottom == 1)).all():
                spread = square - above * off
            else:
                turned = off * off * ((bottom * bottom) @ weights)
                spread = square - 2 * off * ((rest * bottom) @ weights) + turned
                square = square + turned
            least, most = _range_of_ratios(top, bottom)
        error = _divide(np.sqrt(np.einsum("kn,kn->k", rest, rest)), np.abs(total))
        found = self.studentised(value, error, studentise(above * sign, spread, square), pairs)
        lower, upper, kinds = found.lower, found.upper, found.kinds
        lost = self.wants_bca(found)
        if lost.any():
            part = top[lost], None if bottom is None else bottom[lost]
            counts = None if pairs is None else pairs[lost]
            instead = self.interval(value[lost], value[lost, None] + off[lost], self.leave_one_out(*part), counts)
            lower[lost], upper[lost], kinds[lost] = instead.lower, instead.upper, instead.kinds
        return Interval(value, np.clip(lower, least, most), np.clip(upper, least, most), kinds)


@lru_cache(maxsize=8)
def paired_bootstrap(n: int, resamples: int, confidence: float, seed: int, bca: bool = False) -> PairedBootstrap:
    """The bootstrap of these settings, made once, so that statistics on equally many pairs share its weights."""
    return PairedBootstrap(n, resamples, confidence, seed, bca)


def studentise(off: FloatArray, spread: FloatArray, scale: FloatArray) -> FloatArray:
    """``off / sqrt(spread)``; endless where the spread is rounding compared with `scale`, NaN where it is undefined."""
    varies = spread > _TIE * scale
    t = np.where(np.abs(off) > np.sqrt(_TIE * scale), np.sign(off) * _ENDLESS, 0.0)
    np.divide(off, np.sqrt(np.where(varies, spread, 1.0)), out=t, where=varies)
    return np.where(np.isfinite(spread), t, np.nan)


def _range_of_ratios(top: FloatArray, bottom: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where each row's least and greatest ratio of a pair lie; without end where a denominator is negative."""
    ratios = _divide(top, bottom)
    ratios = np.where((bottom == 0) & (top != 0), np.where(top > 0, np.inf, -np.inf), ratios)
    mixed = (bottom < 0).any(axis=1)
    least = np.where(np.isnan(ratios), np.inf, ratios).min(axis=1)
    most = np.where(np.isnan(ratios), -np.inf, ratios).max(axis=1)
    return np.where(mixed, -np.inf, least), np.where(mixed, np.inf, most)


def join_intervals(parts: Sequence[Interval]) -> Interval:
    """All their statistics, in order."""
    return Interval(
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.lower for part in parts]),
        np.concatenate([part.upper for part in parts]),
        np.concatenate([part.kinds for part in parts]),
    )


def _acceleration(value: FloatArray, leave_one_out: FloatArray) -> FloatArray:
    """Efron's acceleration, shape (k,); NaN where a leave-one-out estimate is undefined or all are equal."""
    departure = leave_one_out.mean(axis=1, keepdims=True) - leave_one_out
    square = departure * departure
    spread = square.sum(axis=1)
    skew = np.einsum("kn,kn->k", square, departure)
    result = np.full(len(value), np.nan)
    differ = np.sqrt(spread) > _TIE * np.abs(value)
    np.divide(skew, 6 * spread**1.5, out=result, where=differ & (spread > np.finfo(np.float64).tiny))
    return result


def _quantiles(ordered: FloatArray, known: npt.NDArray[np.int64], levels: FloatArray) -> FloatArray:
    """Quantiles at each row's own levels of its first `known` values, in order; linearly between them, NaN if none."""
    place = levels * np.maximum(known - 1, 0)[:, None]
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0)[:, None])
    low, high = np.take_along_axis(ordered, below, axis=1), np.take_along_axis(ordered, above, axis=1)
    return np.asarray(low + (high - low) * (place - below))


def _divide(top: FloatArray, bottom: FloatArray) -> FloatArray:
    result = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result
