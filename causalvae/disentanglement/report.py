"""The scores of one run's network as results hold them: plain numbers, next to their baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from causalvae.disentanglement.arrays import FloatArray
from causalvae.disentanglement.scores import DisentanglementScores, Score

Row = tuple[float | None, ...]


@dataclass(frozen=True)
class ScoreRow:
    """One score of a network, and what it is for codes that learned nothing or everything.

    Parameters
    ----------
    name : str
    value : float or None
        None where it is not defined; `note` says why.
    lower, upper : float or None
        Interval over draws of samples, the network being what it is; None where none is made.
    oracle : float or None
        Of the data's own factors, each one latent.
    random : float or None
        Of the network with random weights, all of its latents counted.
    note : str
    bias : float or None
        About how much too high (below zero: too low) the value is, where its samples bias it out of its interval.
    """

    name: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    oracle: float | None = None
    random: float | None = None
    note: str = ""
    bias: float | None = None


@dataclass(frozen=True)
class ScoreReport:
    """The classical scores of a run, or why there are none.

    Parameters
    ----------
    rows : tuple of ScoreRow
    absent : str
        Why there are no scores; empty where there are.
    data : str
    factors : tuple of str
    latents : int
    dead : tuple of int
        Latents that are omitted because they carry next to nothing.
    kl_threshold : float
        Below which latents are dead.
    samples, test_samples : int
        Distinct samples that predictors were fitted and tested on.
    asked_samples, asked_test_samples : int
        How many were asked for; more where finite data have no more.
    left_out : tuple of str
        Factors that are not scored, each with its reason.
    predictor : str
        Of DCI; empty where it is not measured.
    dependence : float
        Largest mutual information between two factors, over the smaller of their entropies.
    importance : tuple of tuple
        How much DCI's predictor of each factor (columns) uses each latent (rows), each column summing to 1; empty
        where DCI is not measured.
    confidence : float
    seed : int
    notes : tuple of str
        What must be known of all scores.
    draws : int
        Of samples that the network was scored on, each of `samples` and `test_samples`.
    """

    rows: tuple[ScoreRow, ...] = ()
    absent: str = ""
    data: str = ""
    factors: tuple[str, ...] = ()
    latents: int = 0
    dead: tuple[int, ...] = ()
    kl_threshold: float = 0.0
    samples: int = 0
    test_samples: int = 0
    predictor: str = ""
    dependence: float = 0.0
    importance: tuple[Row, ...] = ()
    confidence: float = 0.95
    seed: int = 0
    notes: tuple[str, ...] = ()
    draws: int = 1
    asked_samples: int = 0
    asked_test_samples: int = 0
    left_out: tuple[str, ...] = ()

    def value(self, name: str) -> float | None:
        """The score called `name`; None where there is none."""
        return next((row.value for row in self.rows if row.name == name), None)


@dataclass(frozen=True)
class ScoredCodes:
    """What is kept of the scores of one code: of the network's, or of a baseline's.

    Parameters
    ----------
    scores : tuple of Score
    active : tuple of bool
        Which latents count.
    dependence : float
        Of the factors; see `DisentanglementScores`.
    importance : tuple of tuple
        See `ScoreReport`.
    samples, test_samples, left_out
        See `ScoreReport`.
    """

    scores: tuple[Score, ...]
    active: tuple[bool, ...]
    dependence: float
    importance: tuple[Row, ...] = ()
    samples: int = 0
    test_samples: int = 0
    left_out: tuple[str, ...] = ()

    def value(self, name: str) -> float | None:
        """The score called `name`; None where there is none."""
        return next((score.value for score in self.scores if score.name == name), None)


def condense(measured: DisentanglementScores) -> ScoredCodes:
    """What a report needs of the scores of one code."""
    return ScoredCodes(
        scores=measured.scores,
        active=tuple(bool(each) for each in measured.active),
        dependence=float(measured.dependence),
        importance=() if measured.dci is None else _shares(measured.dci.importance),
        samples=measured.samples,
        test_samples=measured.test_samples,
        left_out=measured.left_out,
    )


def pool_draws(found: Sequence[ScoredCodes], confidence: float) -> ScoredCodes:
    """One code's scores over several independent draws of samples: means, each with a t-interval over the draws.

    Draws of finite data share no sample. The interval is for what the score is on average at that many samples; a bias
    that so few samples cause it leaves where it is. A latent is dead where it is in most draws.
    """
    if len(found) == 1:
        return found[0]
    from scipy.stats import t

    reach = float(t.ppf(0.5 + confidence / 2, len(found) - 1)) / math.sqrt(len(found))
    scores = []
    for each in found[0].scores:
        values = [value for codes in found if (value := codes.value(each.name)) is not None]
        note = "; ".join(filter(None, [each.note, f"mean of {len(found)} draws"]))
        if len(values) < len(found):
            scores.append(Score(each.name, None, note=note))
            continue
        mean, spread = float(np.mean(values)), reach * float(np.std(values, ddof=1))
        low, high = mean - spread, mean + spread
        # Scores are shares; only what a linear predictor explains can be below nothing.
        scores.append(Score(each.name, mean, max(low, 0.0) if min(values) >= 0 else low, min(high, 1.0), note))
    alive = np.mean([codes.active for codes in found], axis=0) >= 0.5
    return ScoredCodes(
        tuple(scores),
        tuple(bool(each) for each in alive),
        max(codes.dependence for codes in found),
        found[0].importance,
        found[0].samples,
        found[0].test_samples,
        tuple(dict.fromkeys(reason for codes in found for reason in codes.left_out)),
    )


def _shares(importance: FloatArray) -> tuple[Row, ...]:
    known = np.isfinite(importance)
    total = np.where(known, importance, 0.0).sum(axis=0, keepdims=True)
    shares = np.full(importance.shape, np.nan)
    np.divide(importance, total, out=shares, where=known & (total > 0))
    return tuple(tuple(float(x) if np.isfinite(x) else None for x in row) for row in shares)
