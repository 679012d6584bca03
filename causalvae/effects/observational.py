"""Mediation from observed samples alone: factors and activations as data, nothing patched.

For comparison only. It is what a study without access to the network would do: the product of coefficients of two
linear regressions (Baron & Kenny 1986; several mediators at once as in VanderWeele & Vansteelandt 2014),

    M_k = i_k + a_k T + W g_k,    Y = i + c T + sum_k b_k M_k + W h,

    NDE = c d,    NIE = sum_k a_k b_k d,    TE = NDE + NIE,

T the treatment's factor, W the factors that it does not reach, d its mean change over the pairs. It is right where the
network is linear in T, M and W. It is wrong where they interact or bend, and it cannot tell direct from indirect where
the mediators follow from the treatment or the treatment from the mediators: then it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.notes import Note

# A regressor of which the others explain more than this is refused: what is left of it is a hundredth of its variance.
MOST_EXPLAINED = 0.99
# Of the outcome's regressors, standardised; Belsley, Kuh & Welsch (1980) call 30 already strong.
MOST_CONDITION = 100.0
_LEAST_ROWS = 5

EFFECTS = ("total_effect", "natural_direct_effect", "natural_indirect_effect")


@dataclass(frozen=True)
class ObservedSamples:
    """Samples as they are, without any intervention.

    Parameters
    ----------
    treatment, outcome : float array, shape (n,)
    mediators : float array, shape (n, k)
    covariates : float array, shape (n, c)
        What is adjusted for.
    names : tuple of str
        Of the mediators.
    """

    treatment: FloatArray
    mediators: FloatArray
    outcome: FloatArray
    covariates: FloatArray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Identifiability:
    """How well the regressors can be distinguished.

    Parameters
    ----------
    by_treatment : tuple of float
        For each mediator the share of its variance that is some function of the treatment, linear or not.
    by_regressors : tuple of float
        For each mediator the share (R^2) that treatment and covariates explain linearly.
    of_treatment : float
        The share (R^2) of the treatment that mediators and covariates explain linearly.
    condition : float
        Condition number of the outcome's regressors, standardised.
    refusal : str
        Why no effect may be estimated; empty where it may.
    """

    by_treatment: tuple[float, ...]
    by_regressors: tuple[float, ...]
    of_treatment: float
    condition: float
    refusal: str

    @property
    def note(self) -> Note:
        """The numbers."""
        return Note("explained", (max(self.by_regressors), self.of_treatment, self.condition))


@dataclass(frozen=True)
class ObservationalEffect:
    """An effect by regression, and its jackknife interval over samples."""

    estimand: str
    value: float
    lower: float
    upper: float


def diagnose(samples: ObservedSamples) -> Identifiability:
    """Whether the samples can tell the direct from the indirect effect, and why not."""
    treatment, mediators = samples.treatment, samples.mediators
    k = mediators.shape[1]
    others = samples.covariates
    functional = tuple(float(_share_by_function(treatment, mediators[:, j])) for j in range(k))
    linear = tuple(float(_share_by_line(np.column_stack([treatment, others]), mediators[:, j])) for j in range(k))
    back = float(_share_by_line(np.column_stack([mediators, others]), treatment))
    design = np.column_stack([treatment, mediators, others])
    condition = _condition(design)
    return Identifiability(functional, linear, back, condition, _refusal(samples, functional, linear, back, condition))


def estimate_from_samples(
    samples: ObservedSamples, change: float, confidence: float
) -> tuple[ObservationalEffect, ...]:
    """TE, NDE and NIE by the two regressions.

    Parameters
    ----------
    samples : ObservedSamples
        That `diagnose` does not refuse.
    change : float
        The treatment's mean change, d.
    confidence : float
        Of the intervals.

    Notes
    -----
    Intervals are the estimate -+ t_{n - 1} s, s^2 = (n - 1) / n sum_i (effect_(i) - their mean)^2 the jackknife's
    variance over samples omitted one at a time. It holds where errors are uneven and skewed, where the bootstrap of
    so few samples is too narrow: at 60 samples of such errors 92.5 to 94.5 % of 95, percentile intervals 90.8 to 94.2.
    """
    from scipy.special import stdtrit

    k, n = samples.mediators.shape[1], len(samples.outcome)
    ones = np.ones(n)
    # Centred, so that the normal equations stay well conditioned.
    parts = [_standardise(part) for part in (samples.treatment[:, None], samples.mediators, samples.covariates)]
    (treatment, scale), (mediators, _), (covariates, _) = parts
    first = np.column_stack([treatment[:, 0], ones, covariates])
    second = np.column_stack([treatment[:, 0], mediators, ones, covariates])
    outcome = samples.outcome - samples.outcome.mean()
    a = _solve(first, mediators)[:, 0, :]
    slopes = _solve(second, outcome[:, None])[:, :, 0]
    direct = slopes[:, 0] * change / scale[0]
    indirect = (a * slopes[:, 1 : 1 + k]).sum(axis=1) * change / scale[0]
    reach = float(stdtrit(n - 1, (1 + confidence) / 2))
    found = []
    for estimand, values in zip(EFFECTS, (direct + indirect, direct, indirect), strict=True):
        value, without = float(values[0]), values[1:]
        half = reach * float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
        found.append(ObservationalEffect(estimand, value, value - half, value + half))
    return tuple(found)


def _refusal(
    samples: ObservedSamples,
    functional: tuple[float, ...],
    linear: tuple[float, ...],
    back: float,
    condition: float,
) -> str:
    n, k = samples.mediators.shape
    columns = 2 + k + samples.covariates.shape[1]
    if n < _LEAST_ROWS * columns:
        return f"{n} samples are too few for {columns} regressors"
    if not _varies(samples.treatment):
        return "the treatment's factor does not vary among the observed samples"
    still = [name for name, column in zip(samples.names, samples.mediators.T, strict=True) if not _varies(column)]
    if still:
        return f"{', '.join(still)} does not vary among the observed samples"
    for name, share in zip(samples.names, functional, strict=True):
        if share > MOST_EXPLAINED:
            return (
                f"{name} is a function of the treatment (R² {share:.4f}): without patching, its effect cannot be "
                "separated from the effect around it"
            )
    for name, share in zip(samples.names, linear, strict=True):
        if share > MOST_EXPLAINED:
            return f"{name} is collinear with the treatment and the covariates (R² {share:.4f})"
    if back > MOST_EXPLAINED:
        return f"the treatment is collinear with the mediators and the covariates (R² {back:.4f})"
    if condition > MOST_CONDITION:
        return f"the regressors are collinear (condition number {condition:.3g}, more than {MOST_CONDITION:g})"
    return ""


def _solve(design: FloatArray, targets: FloatArray) -> FloatArray:
    """Least squares over all samples, then without each: shape (1 + n, columns of design, targets)."""
    squares, rights = (design[:, :, None] * columns[:, None, :] for columns in (design, targets))
    square, right = (np.concatenate([s.sum(axis=0)[None], s.sum(axis=0) - s]) for s in (squares, rights))
    solution: FloatArray = np.linalg.pinv(square, hermitian=True) @ right
    return solution


def _standardise(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Columns without their means, over their standard deviations, and the latter; constant ones become zero."""
    deviation = columns.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    return (columns - columns.mean(axis=0)) / scale, scale


def _varies(column: FloatArray) -> bool:
    return bool(column.std() > 1e-9 * max(1.0, float(np.abs(column).mean())))


def _condition(design: FloatArray) -> float:
    values = np.linalg.svd(_standardise(design)[0], compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 else float("inf")


def _share_by_line(design: FloatArray, target: FloatArray) -> float:
    """R^2 of least squares."""
    centred = target - target.mean()
    if not centred.any():
        return 1.0
    columns = _standardise(design)[0]
    rest = centred - columns @ np.linalg.lstsq(columns, centred, rcond=None)[0]
    return float(1 - (rest @ rest) / (centred @ centred))


def _share_by_function(treatment: FloatArray, target: FloatArray) -> float:
    """The share of a variance that is some function of the treatment.

    Where values of the treatment repeat, one less the variance within them; where they do not, one less the variance
    about lines between each value's neighbours in order of the treatment (Gasser, Sroka & Jennen-Steinmetz 1986), which
    a function that does not jump makes small.
    """
    variance = float(target.var())
    if variance == 0:
        return 1.0
    levels, place, counts = np.unique(treatment, return_inverse=True, return_counts=True)
    if len(levels) <= len(treatment) // 4:
        means = np.bincount(place, target) / counts
        within = target - means[place]
        noise = float(within @ within) / (len(target) - len(levels))
    else:
        order = np.argsort(treatment, kind="stable")
        t, m = treatment[order], target[order]
        span = t[2:] - t[:-2]
        left = np.full(len(span), 0.5)
        np.divide(t[2:] - t[1:-1], span, out=left, where=span > 0)
        gap = left * m[:-2] + (1 - left) * m[2:] - m[1:-1]
        noise = float(np.mean(gap**2 / (left**2 + (1 - left) ** 2 + 1)))
    return max(0.0, 1 - noise / variance)
