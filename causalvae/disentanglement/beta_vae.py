"""The beta-VAE score: which factor is shared by pairs, told from how far apart their codes are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import BoolArray, FloatArray, IntArray, label_codes
from causalvae.disentanglement.samplers import FixedFactorSampler

_CHUNK = 512


@dataclass(frozen=True, eq=False)
class BetaVAEScore:
    """A beta-VAE score and its confusions.

    Parameters
    ----------
    score : float
        Accuracy on the test points.
    train_score : float
        Accuracy on the training points.
    confusion : int array, shape (n_factors, n_factors)
        Test points by the factor that was shared (row) and the one that was told (column).
    distances : float array, shape (n_factors, n_latents)
        Mean distance of the codes of pairs that share each factor, over the training points; nan for factors with one
        value and for latents outside the mask.
    """

    score: float
    train_score: float
    confusion: IntArray
    distances: FloatArray


def beta_vae_score(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    sample_fixed: FixedFactorSampler,
    *,
    sample_test: FixedFactorSampler | None = None,
    points: int = 10_000,
    test_points: int = 5_000,
    batch: int = 64,
    active: npt.ArrayLike | None = None,
    seed: int = 0,
) -> BetaVAEScore:
    """The beta-VAE score of Higgins et al. 2017, with disentanglement_lib's settings.

    Parameters
    ----------
    codes, factors : array, shape (n, n_latents) and (n, n_factors)
        Observed samples: only factors that vary here are shared.
    sample_fixed : callable
        Gives codes of samples that share a factor, here in pairs; `PoolSampler` makes one from arrays.
    sample_test : callable, optional
        The same for test points, of other samples; `sample_fixed` where omitted, which must then draw new samples for
        every point.
    points, test_points : int
        Each is the mean absolute difference of `batch` pairs that share one factor, drawn uniformly from those that
        vary; every pair has a value of its own.
    batch : int, default 64
    active : bool array, shape (n_latents,), optional
        With none left, points differ in nothing, and the score is that of guessing.
    seed : int, default 0

    Raises
    ------
    CausalVAEError
        CV510 to CV512, see `label_codes`; CV517 where only one factor varies, so that every guess is right.

    Notes
    -----
    The classifier is a multinomial logistic regression with scikit-learn's penalty on unscaled differences, so the
    score depends on the scale of the codes. Higgins et al., beta-VAE: learning basic visual concepts with a
    constrained variational framework, ICLR 2017.
    """
    sample = label_codes(codes, factors, active)
    sample.refuse_single("beta-VAE score")
    rng = np.random.default_rng(seed)
    held = np.flatnonzero(sample.varied)
    shared = [rng.integers(0, len(held), number) for number in (points, test_points)]
    differences = [
        _measure_points(sampler, held, choice, batch, sample.active, rng)
        for sampler, choice in zip((sample_fixed, sample_test or sample_fixed), shared, strict=True)
    ]
    told = [_tell_factor(differences[0], shared[0], where) for where in differences]
    train_score, score = (float((guess == truth).mean()) for guess, truth in zip(told, shared, strict=True))
    confusion = np.zeros((len(sample.sizes),) * 2, dtype=np.int64)
    np.add.at(confusion, (held[shared[1]], held[told[1]]), 1)
    distances = np.full((len(sample.sizes), len(sample.active)), np.nan)
    for place, factor in enumerate(held):
        distances[factor, sample.active] = differences[0][shared[0] == place].mean(axis=0)
    return BetaVAEScore(score, train_score, confusion, distances)


def _measure_points(
    sample_fixed: FixedFactorSampler,
    held: IntArray,
    shared: IntArray,
    batch: int,
    active: BoolArray,
    rng: np.random.Generator,
) -> FloatArray:
    points = np.empty((len(shared), int(active.sum())))
    for place, factor in enumerate(held.tolist()):
        rows = np.flatnonzero(shared == place)
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            pairs = sample_fixed(factor, len(part) * batch, 2, rng)[:, :, active]
            points[part] = np.abs(pairs[:, 0] - pairs[:, 1]).reshape(len(part), batch, -1).mean(axis=1)
    return points


def _tell_factor(points: FloatArray, shared: IntArray, where: FloatArray) -> IntArray:
    if points.shape[1] == 0 or len(np.unique(shared)) == 1:
        return np.full(len(where), np.bincount(shared).argmax())
    from sklearn.linear_model import LogisticRegression

    return np.asarray(LogisticRegression(max_iter=1000).fit(points, shared).predict(where))
