"""The FactorVAE score: which latent stands still while a factor does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.disentanglement.arrays import BoolArray, FloatArray, IntArray, label_codes
from causalvae.disentanglement.samplers import FixedFactorSampler

# A chunk of groups with 64 samples of 10 latents is 10 MB.
_CHUNK = 2048


@dataclass(frozen=True, eq=False)
class FactorVAEScore:
    """A FactorVAE score and its votes.

    Parameters
    ----------
    score : float
        Share of test votes whose latent's factor is the one that was held; 0 where no latent is left to vote.
    train_score : float
        The same of the training votes.
    votes, test_votes : int array, shape (n_latents, n_factors)
        How often each latent varied least while each factor was held.
    factor_of : int array, shape (n_latents,)
        The factor with most training votes; -1 for a latent without any.
    used : bool array, shape (n_latents,)
        Which latents could win: active, and with a standard deviation not below the threshold.
    """

    score: float
    train_score: float
    votes: IntArray
    test_votes: IntArray
    factor_of: IntArray
    used: BoolArray


def factor_vae_score(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    sample_fixed: FixedFactorSampler,
    *,
    sample_test: FixedFactorSampler | None = None,
    votes: int = 10_000,
    test_votes: int = 5_000,
    batch: int = 64,
    threshold: float = 0.05,
    active: npt.ArrayLike | None = None,
    seed: int = 0,
) -> FactorVAEScore:
    """The FactorVAE score of Kim and Mnih 2018 (arXiv 1802.05983), with disentanglement_lib's settings.

    Parameters
    ----------
    codes, factors : array, shape (n, n_latents) and (n, n_factors)
        Observed samples: variances are relative to these codes', and only factors that vary here are held.
    sample_fixed : callable
        Gives codes of samples that share a factor; `PoolSampler` makes one from arrays.
    sample_test : callable, optional
        The same for test votes, of other samples; `sample_fixed` where omitted, which must then draw new samples for
        every vote.
    votes, test_votes : int
        One batch each, with a factor drawn uniformly from those that vary.
    batch : int, default 64
        Samples a vote, or fewer where a factor's value has fewer.
    threshold : float, default 0.05
        Latents with a standard deviation below it cannot win. A constant latent never can.
    active : bool array, shape (n_latents,), optional
    seed : int, default 0

    Raises
    ------
    CausalVAEError
        CV510 to CV512, see `label_codes`; CV517 where only one factor varies, so that every vote is right.
    """
    sample = label_codes(codes, factors, active)
    sample.refuse_single("FactorVAE score")
    variances = sample.codes.var(axis=0, ddof=1)
    used = sample.moving & (np.sqrt(variances) >= threshold)
    shape = (len(used), len(sample.sizes))
    if not used.any():
        none = np.zeros(shape, dtype=np.int64)
        return FactorVAEScore(0.0, 0.0, none, none, np.full(len(used), -1), used)
    rng = np.random.default_rng(seed)
    held = np.flatnonzero(sample.varied)
    counted = []
    for number, sampler in ((votes, sample_fixed), (test_votes, sample_test or sample_fixed)):
        table = np.zeros(shape, dtype=np.int64)
        shares = np.bincount(rng.integers(0, len(held), number), minlength=len(held))
        for factor, groups in zip(held.tolist(), shares.tolist(), strict=True):
            table[:, factor] = _count_votes(sampler, factor, groups, batch, variances, used, rng)
        counted.append(table)
    chosen = counted[0].argmax(axis=1)
    train_score, score = (float(table[np.arange(len(used)), chosen].sum() / table.sum()) for table in counted)
    factor_of = np.where(counted[0].any(axis=1), chosen, -1)
    return FactorVAEScore(score, train_score, counted[0], counted[1], factor_of, used)


def _count_votes(
    sample_fixed: FixedFactorSampler,
    factor: int,
    groups: int,
    batch: int,
    variances: FloatArray,
    used: BoolArray,
    rng: np.random.Generator,
) -> IntArray:
    winners = []
    for start in range(0, groups, _CHUNK):
        codes = sample_fixed(factor, min(_CHUNK, groups - start), batch, rng)
        relative = _vary(codes[:, :, used]) / variances[used]
        winners.append(np.flatnonzero(used)[relative.argmin(axis=1)])
    return np.bincount(np.concatenate(winners), minlength=len(used)) if winners else np.zeros(len(used), np.int64)


def _vary(codes: FloatArray) -> FloatArray:
    """Variance within each group, (groups, size, latents) to (groups, latents); rows of nan are no members."""
    member = ~np.isnan(codes[:, :, :1])
    count = member.sum(axis=1)
    known = np.where(member, codes, 0.0)
    away = np.where(member, known - known.sum(axis=1, keepdims=True) / count[:, None], 0.0)
    return np.asarray(np.einsum("gsl,gsl->gl", away, away) / (count - 1))
