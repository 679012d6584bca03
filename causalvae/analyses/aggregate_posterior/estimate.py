"""Active latents, and the linear and the intrinsic dimension of the posterior means over the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from causalvae.effects.bootstrap import FloatArray, PairedBootstrap
from causalvae.effects.context import EffectContext
from causalvae.engine.observed_columns import column_of, names_in

State = Literal["active", "inactive", "undecided"]
# Neighbours of fewer distinct samples say nothing of a dimension.
FEWEST: Final = 24


@dataclass(frozen=True)
class LatentUse:
    """How much one latent varies with the input.

    Parameters
    ----------
    latent : int
    variance, lower, upper : float
        Variance of the posterior mean over the data, and its interval.
    spread : float or None
        Mean variance of the posterior; None where the encoder is deterministic.
    state : {"active", "inactive", "undecided"}
        Whether the interval lies above the threshold, below it, or on both sides.
    """

    latent: int
    variance: float
    lower: float
    upper: float
    spread: float | None
    state: State


@dataclass(frozen=True)
class Dimension:
    """A number of dimensions and its interval; all None where it is undefined."""

    value: float | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class AggregatePosterior:
    """What is found of the posterior means of a run's observed samples.

    Parameters
    ----------
    latents : tuple of LatentUse
    samples, distinct : int
        Observed samples, and how many different posterior means they have.
    threshold : float
        Variance above which a latent is active.
    linear : Dimension
        Participation ratio of the covariance of the means.
    intrinsic : Dimension
        Intrinsic dimension by two nearest neighbours.
    is_map : bool
        Whether a latent is a channel of a map, of which the mean over positions is taken.
    """

    latents: tuple[LatentUse, ...]
    samples: int
    distinct: int
    threshold: float
    linear: Dimension
    intrinsic: Dimension
    is_map: bool


def estimate_posterior(context: EffectContext, threshold: float) -> AggregatePosterior:
    """Which latents are active, and the dimension of what they fill.

    Parameters
    ----------
    context : EffectContext
    threshold : float
        Of the variance of the posterior mean.

    Notes
    -----
    A latent is active if Var_x(E[z | x]) is above the threshold (Burda et al. 2016, arXiv 1509.00519, with 0.01).
    """
    table = context.measurements.observations
    names = names_in(table, "mean")
    means = table[[column_of("mean", name) for name in names]].to_numpy(np.float64)
    bootstrap = context.bootstrap(len(means))
    squares = (means - means.mean(axis=0)) ** 2 * len(means) / (len(means) - 1)
    found = bootstrap.ratio(squares.T)
    spreads: list[float | None] = [None] * len(names)
    if column_of("logvar", names[0]) in table:
        spreads = [float(np.exp(table[column_of("logvar", name)]).mean()) for name in names]
    latents = tuple(
        LatentUse(
            int(name),
            float(found.value[k]),
            float(found.lower[k]),
            float(found.upper[k]),
            spreads[k],
            state_of(float(found.lower[k]), float(found.upper[k]), threshold),
        )
        for k, name in enumerate(names)
    )
    distinct = np.unique(means, axis=0)
    return AggregatePosterior(
        latents,
        len(means),
        len(distinct),
        threshold,
        linear_dimension(means, bootstrap),
        intrinsic_dimension(distinct, context),
        bool(names_in(table, "kl")),
    )


def state_of(lower: float, upper: float, threshold: float) -> State:
    """Whether an interval lies above a threshold, below it, or on both sides."""
    if lower > threshold:
        return "active"
    return "inactive" if upper <= threshold else "undecided"


def participation(means: FloatArray) -> float:
    """(tr C)^2 / tr C^2 of the covariance C of rows: (sum of its eigenvalues)^2 / sum of their squares."""
    covariance = np.atleast_2d(np.cov(means, rowvar=False))
    return float(np.trace(covariance) ** 2 / (covariance**2).sum())


def linear_dimension(means: FloatArray, bootstrap: PairedBootstrap) -> Dimension:
    """The participation ratio, corrected by the jackknife, and the interval of the mean of its pseudo-values.

    It is k for k uncorrelated latents of equal variance, and 1 where all samples lie on a line.

    Parameters
    ----------
    means : float array, shape (n, latents)
    bootstrap : PairedBootstrap
        Over n samples.

    Notes
    -----
    Leaving sample i out changes the scatter S = sum (x - m)(x - m)' to S - n / (n - 1) d d' with d = x_i - m, so all n
    values take one product with S.
    """
    count, latents = means.shape
    off = means - means.mean(axis=0)
    scatter = off.T @ off
    trace, square = float(np.trace(scatter)), float((scatter**2).sum())
    if count < FEWEST or square <= 0:
        return Dimension()
    factor = count / (count - 1)
    lengths = (off**2).sum(axis=1)
    traces = trace - factor * lengths
    pairs = square - 2 * factor * ((off @ scatter) * off).sum(axis=1) + factor**2 * lengths**2
    if not (pairs > 1e-12 * square).all():
        # One sample makes all of the spread.
        return Dimension()
    pseudo = count * trace**2 / square - (count - 1) * traces**2 / pairs
    found = bootstrap.ratio(pseudo[None])
    value, lower, upper = (
        float(np.clip(end[0], 1.0, latents)) for end in (found.value, found.lower, found.upper)
    )  # fmt: skip
    return Dimension(value, lower, upper)


def intrinsic_dimension(distinct: FloatArray, context: EffectContext) -> Dimension:
    """TwoNN: n / sum ln(r2 / r1), r1 and r2 the distances of a sample to its two nearest neighbours.

    Facco et al. 2017, "Estimating the intrinsic dimension of datasets by a minimal neighborhood information",
    Scientific Reports 7: mu = r2 / r1 has the density d mu^-(d + 1) where that of samples is constant over these
    distances. This is the likelihood's maximum over all samples; none is left out. The interval resamples the ratios,
    and so leaves the dependence of neighbours out.

    Parameters
    ----------
    distinct : float array, shape (n, latents)
        Different points.
    context : EffectContext
    """
    from scipy.spatial import cKDTree

    if len(distinct) < FEWEST:
        return Dimension()
    distances = cKDTree(distinct).query(distinct, k=3)[0]
    logs = np.log(distances[:, 2] / distances[:, 1])
    if not np.isfinite(logs).all() or logs.sum() <= 0:
        return Dimension()
    found = context.bootstrap(len(logs)).ratio(np.ones((1, len(logs))), logs[None])
    lower, upper, _ = found.ends(0)
    return Dimension(float(found.value[0]), lower, upper)
