"""Intervals over samples of metrics that are means over units, the units being all there are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import Ends, PairedBootstrap
from causalvae.effects.smooth_intervals import EffectEntropy, smooth_intervals

FloatArray = npt.NDArray[np.float64]


class MeanEntropy:
    """The mean over units of the entropy of their effect sizes; see `EffectEntropy`.

    Parameters
    ----------
    units, outcomes : int
        Means are ordered by unit, then by outcome.
    """

    def __init__(self, units: int, outcomes: int) -> None:
        self._units, self._outcomes = units, outcomes
        self._each = EffectEntropy(outcomes)
        self.limits = self._each.limits

    def value(self, means: FloatArray) -> FloatArray:
        """(k, units * outcomes, r) -> (k, r); NaN where that of a unit is."""
        k, _, r = means.shape
        found = self._each.value(means.reshape(k * self._units, self._outcomes, r))
        return np.asarray(found.reshape(k, self._units, r).mean(axis=1))

    def gradient(self, means: FloatArray) -> FloatArray:
        """(k, units * outcomes, r) -> the same."""
        k, _, r = means.shape
        found = self._each.gradient(means.reshape(k * self._units, self._outcomes, r))
        return np.asarray(found.reshape(means.shape) / self._units)


def mean_length_ends(lengths: FloatArray, bootstrap: PairedBootstrap) -> Ends:
    """The interval of the mean of `lengths`, shape (units, n), over units and samples."""
    return bootstrap.ratio(lengths.mean(axis=0, keepdims=True)).ends(0)


def mean_specificity_ends(squares: FloatArray, bootstrap: PairedBootstrap) -> Ends | None:
    """The interval of the mean over units of 1 - H / log K.

    Parameters
    ----------
    squares : float array, shape (units, outcomes, n)
        Squared changes in squared standard deviations; not finite where one is undefined.
    bootstrap : PairedBootstrap
        Over the n samples.

    Returns
    -------
    Ends or None
        None for fewer than two outcomes, for no unit, or where a unit's effect is none.
    """
    units, outcomes, n = squares.shape
    if outcomes < 2 or not units:
        return None
    entropy = smooth_intervals(squares.reshape(1, units * outcomes, n), MeanEntropy(units, outcomes), bootstrap)
    if not np.isfinite(entropy.value[0]):
        return None
    ends, most = entropy.ends(0), float(np.log(outcomes))
    # Specificity falls as entropy rises: the ends of the interval change places.
    return Ends(1 - ends.upper / most, 1 - ends.lower / most, ends.kind)
