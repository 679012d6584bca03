"""Causal effect strength over the aggregate posterior, and specificity over attributes and over pixels.

- Posterior-calibrated strength: CES_i = E_x E_{v ~ q_i} ||D(z) - D(z with z_i = v)||_2, q_i the aggregate posterior of
  latent i, the distribution of its values over the data. The raw strength is a plain mean over whatever values were
  declared; this one is an estimand of its own, which any choice of values approximates. ``resample`` draws v from q_i
  once a sample, which makes its raw strength calibrated. Values at the quantiles u_1 < ... < u_k of q_i stand for the
  mass that is nearest to them: weights w_j = (u_{j+1} - u_{j-1}) / 2, the ends taking what is left, so that the sum is
  1 (the midpoint rule for the integral over u; as quantiles grow dense it becomes what ``resample`` estimates). Offsets
  in standard deviations, and zero, are no draws of q_i: of them there is no calibrated strength.
- Specificity S = 1 / (H(p) + eps), p the effect's distribution over outcomes, H in nats, and its bounded form
  1 - H / log K, K outcomes. Over the numbers of an output p is |change| divided by its sum within a sample, and H is
  averaged over samples: it says how concentrated a change is where it happens, not whether it always happens at the
  same place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import Interval, PairedBootstrap
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.strength import SPECIFICITY_EPSILON
from causalvae.effects.sweep_types import PatchedArm
from causalvae.spec.value_source import ValueSource

FloatArray = npt.NDArray[np.float64]


def quantile_weights(quantiles: Sequence[float]) -> FloatArray:
    """The mass of a distribution that is nearest, in cumulative probability, to each of some increasing quantiles."""
    levels = np.asarray(quantiles, dtype=np.float64)
    middles = (levels[1:] + levels[:-1]) / 2
    return np.diff(np.concatenate([[0.0], middles, [1.0]]))


def calibration(sources: Sequence[ValueSource]) -> FloatArray | None:
    """What each value of a perturbation weighs in an expectation over the aggregate posterior; None where it cannot be.

    Parameters
    ----------
    sources : sequence of ValueSource
        One a value of the same component.
    """
    if all(source.is_drawn and source.given is None for source in sources):
        return np.full(len(sources), 1 / len(sources))
    levels = [source.level for source in sources if source.level is not None]
    if len(levels) < len(sources) or len(set(levels)) < len(levels):
        return None
    order = np.argsort(levels)
    weights = np.empty(len(levels))
    weights[order] = quantile_weights([levels[k] for k in order])
    return weights


def change_lengths(
    outcomes: Outcomes, arms: Sequence[Sequence[PatchedArm]], n: int, weights: FloatArray | None = None
) -> FloatArray:
    """||D(z) - D(z~)||_2 of each component in each sample, averaged over its values.

    Parameters
    ----------
    outcomes : Outcomes
    arms : sequence of sequence of PatchedArm
        For each component one arm a value.
    n : int
        Samples.
    weights : float array, optional
        Of the values; equal if omitted.

    Returns
    -------
    float array, shape (components, n)
    """
    rows = []
    for members in arms:
        lengths = np.sqrt(outcomes.block([arm.arm for arm in members], "image_sq", n))
        rows.append(lengths.mean(axis=0) if weights is None else weights @ lengths)
    return np.stack(rows)


def specificity(entropy: FloatArray, outcomes: int, *, bounded: bool) -> FloatArray:
    """Specificity of an entropy in nats over this many outcomes: 1 - H / log K if `bounded`, else 1 / (H + 1e-6)."""
    if bounded:
        return np.asarray(1 - entropy / np.log(outcomes))
    # Rounding must not take a distribution on one outcome below zero.
    return np.asarray(1 / (np.maximum(entropy, 0.0) + SPECIFICITY_EPSILON))


def output_specificity(
    spreads: FloatArray, numbers: int, bootstrap: PairedBootstrap, *, bounded: bool
) -> tuple[Interval, FloatArray]:
    """Specificity over pixels of each component, from the mean entropy, and the median over samples of their own.

    Parameters
    ----------
    spreads : float array, shape (components, n)
        Entropy of |change| over the output's numbers, in nats; NaN where a sample's output does not change.
    numbers : int
        How many numbers an output has; at least 2.
    bootstrap : PairedBootstrap
        Over the n samples.
    bounded : bool

    Returns
    -------
    (Interval, float array of shape (components,))
    """
    known = np.isfinite(spreads)
    mean = bootstrap.ratio(np.where(known, spreads, 0.0), known.astype(np.float64))
    ends = [specificity(part, numbers, bounded=bounded) for part in (mean.value, mean.lower, mean.upper)]
    each = specificity(spreads, numbers, bounded=bounded)
    median = np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in each])
    # Specificity falls as entropy rises: the ends of the interval change places.
    return Interval(ends[0], ends[2], ends[1], mean.kinds), median
