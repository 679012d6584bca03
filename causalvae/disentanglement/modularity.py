"""Modularity and explicitness of Ridgeway and Mozer 2018."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import BoolArray, FloatArray, IntArray, label_codes, label_split
from causalvae.disentanglement.gaps import find_best
from causalvae.disentanglement.information import measure_information


@dataclass(frozen=True, eq=False)
class Modularity:
    """How far each latent keeps to one factor.

    Parameters
    ----------
    score : float or None
        Mean over the latents used; None where fewer than two factors vary, for then there is no other factor to keep
        from.
    per_latent : float array, shape (n_latents,)
        0 for a latent that tells of no factor; nan for latents outside the mask, and everywhere where `score` is None.
    information : float array, shape (n_latents, n_factors)
        In nats; nan for latents outside the mask.
    parents : int array, shape (n_latents,)
        The factor that each latent tells most of; -1 where it tells of none.
    """

    score: float | None
    per_latent: FloatArray
    information: FloatArray
    parents: IntArray


@dataclass(frozen=True, eq=False)
class Explicitness:
    """How well each factor is read off the codes by logistic regression.

    Parameters
    ----------
    score : float
        Mean of `per_factor` over the factors that vary.
    per_factor : float array, shape (n_factors,)
        Mean over a factor's levels of the one-against-the-rest area under the ROC curve on the test set: chance is 0.5.
        Nan for a factor with one value.
    train_score : float
    train_per_factor : float array, shape (n_factors,)
        The same on the training set.
    levels_left_out : int array, shape (n_factors,)
        Levels that the test set or the training set lacks, which have no curve.
    """

    score: float
    per_factor: FloatArray
    train_score: float
    train_per_factor: FloatArray
    levels_left_out: IntArray


def modularity(
    codes: npt.ArrayLike, factors: npt.ArrayLike, *, bins: int = 20, active: npt.ArrayLike | None = None
) -> Modularity:
    """Modularity: how far each latent's information is about one factor only.

    Parameters
    ----------
    codes : array, shape (n, n_latents)
    factors : array, shape (n, n_factors)
    bins : int, default 20
        Equal-width bins a latent.
    active : bool array, shape (n_latents,), optional
        Without it a latent that tells of nothing counts as 0 in the mean.

    Raises
    ------
    CausalVAEError
        As `mig`.

    Notes
    -----
    1 - sum over the other factors of I_ij^2 / (I_i,best^2 (K - 1)), K the number of factors that vary. Untrained
    networks reach high values (0.87 on dSprites): never read it alone. It is too low where a latent knows little, since
    the plug-in estimate then finds as much information on every factor: with 2,000 samples, four latents and one of
    them weak, by 0.06, five times its standard error. No bootstrap repairs that, so it has no interval.
    """
    sample = label_codes(codes, factors, active)
    sample.refuse_continuous()
    information = measure_information(sample, bins)
    return summarise_modularity(information, sample.varied)


def summarise_modularity(information: FloatArray, varied: BoolArray) -> Modularity:
    """Modularity of given mutual information, (n_latents, n_factors), over the factors `varied`, (n_factors,)."""
    parents = find_best(information.T)
    per_latent = measure_modularity(information[:, varied])
    used = np.isfinite(per_latent)
    if varied.sum() < 2:
        return Modularity(None, per_latent, information, parents)
    return Modularity(float(per_latent[used].mean()) if used.any() else 0.0, per_latent, information, parents)


def measure_modularity(information: FloatArray) -> FloatArray:
    """Modularity of each latent.

    Parameters
    ----------
    information : float array, shape (..., n_latents, n_factors)
        Nan for latents that are not used.

    Returns
    -------
    float array, shape (..., n_latents)
        Nan where the information is, or where there are fewer than two factors.
    """
    squares = np.square(information)
    best = squares.max(axis=-1)
    others = squares.shape[-1] - 1
    if others == 0:
        return np.full(best.shape, np.nan)
    share = np.divide(squares.sum(axis=-1) - best, best * others, out=np.ones_like(best), where=best > 0)
    return np.where(np.isnan(best), np.nan, 1.0 - share)


def explicitness(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    test_codes: npt.ArrayLike,
    test_factors: npt.ArrayLike,
    *,
    active: npt.ArrayLike | None = None,
) -> Explicitness:
    """Explicitness: areas under ROC curves of multinomial logistic regressions on standardised codes.

    Parameters
    ----------
    codes, factors : array, shape (n, n_latents) and (n, n_factors)
        What the regressions are fitted on.
    test_codes, test_factors : array, shape (m, n_latents) and (m, n_factors)
        What they are scored on, standardised by the training set.
    active : bool array, shape (n_latents,), optional
        Constant latents are omitted in any case; with none left every area is 0.5.

    Raises
    ------
    CausalVAEError
        CV510 to CV512, see `label_split`; CV513 for continuous factors.

    Notes
    -----
    Untrained networks reach high values (0.68 on dSprites): never read it alone.
    """
    train, test = label_split(codes, factors, test_codes, test_factors, active)
    train.refuse_continuous()
    used = train.moving
    centre, spread = train.codes[:, used].mean(axis=0), train.codes[:, used].std(axis=0)
    inputs = (train.codes[:, used] - centre) / spread
    test_inputs = (test.codes[:, used] - centre) / spread
    areas = np.full((2, len(train.sizes)), np.nan)
    left_out = np.zeros(len(train.sizes), dtype=np.int64)
    for factor in np.flatnonzero(train.varied):
        levels, test_levels = train.levels[:, factor], test.levels[:, factor]
        scores = _fit_probabilities(inputs, levels, [inputs, test_inputs])
        areas[0, factor], _ = _average_area(scores[0], levels, np.unique(levels))
        areas[1, factor], scored = _average_area(scores[1], test_levels, np.unique(levels))
        left_out[factor] = train.sizes[factor] - scored
    train_score, score = np.nanmean(areas, axis=1).tolist()
    return Explicitness(score, areas[1], train_score, areas[0], left_out)


def _fit_probabilities(inputs: FloatArray, levels: IntArray, where: list[FloatArray]) -> list[FloatArray]:
    if inputs.shape[1] == 0:
        return [np.zeros((len(points), len(np.unique(levels)))) for points in where]
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000).fit(inputs, levels)
    return [np.asarray(model.predict_proba(points)) for points in where]


def _average_area(scores: FloatArray, levels: IntArray, classes: IntArray) -> tuple[float, int]:
    """Mean area under the curve over the `classes` that `levels` has (and is not all of), and how many these are.

    The area is the probability that a member scores above a stranger, ties counting one half (Mann and Whitney).
    """
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=0)
    member = levels[:, None] == classes[None, :]
    inside = member.sum(axis=0)
    outside = len(levels) - inside
    drawn = (inside > 0) & (outside > 0)
    if not drawn.any():
        return float("nan"), 0
    wins = (ranks * member).sum(axis=0) - inside * (inside + 1) / 2
    return float((wins[drawn] / (inside[drawn] * outside[drawn])).mean()), int(drawn.sum())
