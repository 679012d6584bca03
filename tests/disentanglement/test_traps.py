"""What goes wrong in other implementations: dead latents, factors of one value, missing classes, hidden state."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from causalvae.disentanglement import (
    PoolSampler,
    beta_vae_score,
    dci,
    explicitness,
    factor_vae_score,
    find_active,
    irs,
    mig,
    modularity,
    sampled_mig,
    sap_continuous,
    sap_discrete,
    udr,
)
from causalvae.disentanglement.dci import DCI
from causalvae.disentanglement.samplers import draw_distinct
from causalvae.errors import CausalVAEError

Array = npt.NDArray[np.float64]


def oracle(samples: int = 600, sizes: tuple[int, ...] = (2, 3, 4), seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, samples) for size in sizes], axis=1).astype(np.float64)


def halves(array: Array) -> tuple[Array, Array]:
    return array[: len(array) // 2], array[len(array) // 2 :]


def bagged(codes: Array, factors: Array, **options: object) -> DCI:
    (train, test), (labels, test_labels) = halves(codes), halves(factors)
    return dci(train, labels, test, test_labels, regressor="bagged trees", trees=3, **options)  # type: ignore[arg-type]


def test_latents_in_use_are_counted_not_summed() -> None:
    factors = oracle()
    codes = np.column_stack([np.full(len(factors), -700.0), factors - 50.0, np.zeros(len(factors))])
    robust = irs(codes, factors)
    assert np.isfinite(robust.per_latent).tolist() == [False, True, True, True, False]
    assert robust.parents.tolist() == [-1, 0, 1, 2, -1]
    votes = factor_vae_score(codes, factors, PoolSampler(codes, factors), votes=60, test_votes=60)
    assert votes.used.tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("threshold", [0.0, 0.05])
def test_a_constant_latent_never_wins_a_vote_and_winners_keep_their_number(threshold: float) -> None:
    factors = oracle()
    codes = np.column_stack([np.zeros(len(factors)), factors, np.ones(len(factors))])
    sampler = PoolSampler(codes, factors)
    result = factor_vae_score(codes, factors, sampler, votes=90, test_votes=90, threshold=threshold)
    assert result.score == 1
    assert result.factor_of.tolist() == [-1, 0, 1, 2, -1]
    assert result.votes.sum() == 90
    assert np.flatnonzero(result.votes.any(axis=1)).tolist() == [1, 2, 3]


def test_without_a_latent_in_use_the_votes_are_lost() -> None:
    factors = oracle()
    codes = np.full((len(factors), 2), 3.0)
    result = factor_vae_score(codes, factors, PoolSampler(codes, factors), votes=10, test_votes=10)
    assert (result.score, result.votes.sum()) == (0, 0)


def test_a_factor_with_one_value_is_left_out_of_every_score() -> None:
    factors = oracle()
    wider = np.column_stack([np.ones(len(factors)), factors])
    codes = factors + 0.3 * np.random.default_rng(1).normal(size=factors.shape)
    (train, test), (labels, test_labels), (wide, test_wide) = halves(codes), halves(factors), halves(wider)
    assert mig(codes, wider).score == mig(codes, factors).score
    assert math.isnan(mig(codes, wider).per_factor[0])
    assert modularity(codes, wider).score == modularity(codes, factors).score
    assert irs(codes, wider).score == irs(codes, factors).score
    assert sap_continuous(codes, wider).score == pytest.approx(sap_continuous(codes, factors).score)
    assert sap_discrete(train, wide, test, test_wide).score == sap_discrete(train, labels, test, test_labels).score
    assert explicitness(train, wide, test, test_wide).score == explicitness(train, labels, test, test_labels).score
    assert bagged(codes, wider).disentanglement == bagged(codes, factors).disentanglement
    votes = factor_vae_score(codes, wider, PoolSampler(codes, wider), votes=60, test_votes=60)
    assert votes.votes[:, 0].sum() == 0
    points = beta_vae_score(codes, wider, PoolSampler(codes, wider), points=60, test_points=60, batch=8)
    assert points.confusion[0].sum() == 0
    assert math.isnan(points.distances[0, 0])


def test_one_factor_leaves_nothing_to_be_disentangled_from() -> None:
    factors = oracle(sizes=(3,))
    codes = np.column_stack([factors, np.random.default_rng(0).normal(size=len(factors))])
    result = bagged(codes, factors)
    assert result.disentanglement is None
    assert result.completeness == pytest.approx(1, abs=0.1)
    assert modularity(codes, factors).score is None
    assert mig(codes, factors).score == pytest.approx(1, abs=0.1)
    # Whoever is asked which of one factor was held is always right.
    for measure in (factor_vae_score, beta_vae_score):
        with pytest.raises(CausalVAEError, match="only one varies") as caught:
            measure(codes, factors, PoolSampler(codes, factors))
        assert caught.value.code == "CV517"


def test_no_factor_that_varies_is_refused() -> None:
    with pytest.raises(CausalVAEError, match="nothing to disentangle") as caught:
        mig(np.random.default_rng(0).normal(size=(20, 2)), np.ones((20, 2)))
    assert caught.value.code == "CV512"


def test_explicitness_stands_constant_latents_and_levels_that_one_set_lacks() -> None:
    factors = oracle()
    codes = np.column_stack([factors, np.zeros(len(factors))])
    (train, test), (labels, test_labels) = halves(codes), halves(factors)
    some = test_labels[:, 2] < 3
    result = explicitness(train, labels, test[some], test_labels[some])
    assert result.score == pytest.approx(1, abs=0.1)
    assert result.levels_left_out.tolist() == [0, 0, 1]
    assert explicitness(0 * train, labels, 0 * test, test_labels).score == 0.5


def test_discrete_sap_depends_on_scale_and_fails_on_order_where_continuous_sap_does_neither() -> None:
    factors = oracle(sizes=(3, 9, 9))
    (train, test) = halves(factors)
    plain = sap_discrete(train, train, test, test)
    scaled = sap_discrete(train / 30, train, test / 30, test)
    assert plain.score < 0.6
    assert abs(plain.score - scaled.score) > 0.02
    assert sap_continuous(factors, factors).score > 0.95
    assert sap_continuous(factors / 30, factors).score == pytest.approx(sap_continuous(factors, factors).score)
    assert plain.predictor != sap_continuous(factors, factors).predictor


@pytest.mark.parametrize("regressor", ["gradient boosting", "bagged trees", "lasso"])
def test_dci_depends_on_its_seed_alone(regressor: str) -> None:
    factors = oracle(120, (2, 2))
    codes = factors + np.random.default_rng(1).normal(size=factors.shape)
    (train, test), (labels, test_labels) = halves(codes), halves(factors)
    results = []
    for state in (1, 2):
        np.random.seed(state)  # noqa: NPY002
        results.append(dci(train, labels, test, test_labels, regressor=regressor, trees=3, seed=5))  # type: ignore[arg-type]
    np.testing.assert_array_equal(results[0].importance, results[1].importance)
    assert results[0].regressor == regressor


def test_the_global_generator_is_left_alone() -> None:
    factors = oracle(120, (2, 3))
    codes = factors + np.random.default_rng(1).normal(size=factors.shape)
    (train, test), (labels, test_labels) = halves(codes), halves(factors)
    sampler = PoolSampler(codes, factors)
    np.random.seed(1)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    for regressor in ("gradient boosting", "bagged trees", "lasso"):
        dci(train, labels, test, test_labels, regressor=regressor, trees=2)  # type: ignore[arg-type]
    sap_discrete(train, labels, test, test_labels)
    explicitness(train, labels, test, test_labels)
    factor_vae_score(codes, factors, sampler, votes=10, test_votes=10)
    beta_vae_score(codes, factors, sampler, points=10, test_points=10)
    sampled_mig(codes, codes, factors, samples=10)
    udr([codes, codes], [[1, 1], [1, 1]])
    assert np.random.random() == expected  # noqa: NPY002


def test_fewer_bins_than_levels_lower_the_gap() -> None:
    factors = oracle(4000, (40, 3))
    assert mig(factors, factors, bins=20).per_factor[0] < 0.85
    assert mig(factors, factors, bins=40).per_factor[0] > 0.95
    assert "20" in mig(factors, factors).estimator


def test_an_outlier_widens_every_bin() -> None:
    factors = oracle()
    codes = factors.copy()
    codes[0] = 1e4
    assert mig(codes, factors).score < 0.1 < mig(factors, factors).score


def test_labels_may_be_floats_or_physical_values() -> None:
    factors = oracle()
    codes = factors + 0.3 * np.random.default_rng(1).normal(size=factors.shape)
    physical = 0.5 + factors / 10
    assert mig(codes, physical).score == mig(codes, factors.astype(np.int64)).score
    assert modularity(codes, physical).score == modularity(codes, factors).score


def test_continuous_factors_are_refused_where_levels_are_needed() -> None:
    rng = np.random.default_rng(0)
    codes, factors = rng.normal(size=(200, 2)), rng.normal(size=(200, 2))
    for metric in (mig, modularity, lambda z, y: irs(z, y, bins=None), PoolSampler):
        with pytest.raises(CausalVAEError) as caught:
            metric(codes, factors)  # type: ignore[operator]
        assert caught.value.code == "CV513"
    assert sap_continuous(codes, factors).score < 0.1


def test_the_mask_leaves_dead_latents_out() -> None:
    factors = oracle()
    rng = np.random.default_rng(4)
    dead = 1e-3 * rng.normal(size=(len(factors), 2)) + 1e-3 * factors[:, :2]
    codes = np.column_stack([factors, dead])
    active = find_active([[1.0, 1.0, 1.0, 0.001, 0.01]])
    assert active.tolist() == [True, True, True, False, False]
    assert mig(codes, factors, active=active).score == mig(factors, factors).score > mig(codes, factors).score
    assert np.isnan(mig(codes, factors, active=active).information[3:]).all()
    assert modularity(codes, factors, active=active).score == modularity(factors, factors).score
    assert irs(codes, factors, active=active).score == irs(factors, factors).score
    assert bagged(codes, factors, active=active).completeness == bagged(factors, factors).completeness
    votes = factor_vae_score(
        codes, factors, PoolSampler(codes, factors), votes=60, test_votes=60, threshold=0.0, active=active
    )
    assert votes.votes[3:].sum() == 0


def test_no_active_latent_scores_nothing() -> None:
    factors = oracle()
    active = np.zeros(3, dtype=bool)
    (train, test) = halves(factors)
    assert mig(factors, factors, active=active).score == 0
    assert modularity(factors, factors, active=active).score == 0
    assert irs(factors, factors, active=active).score == 0
    assert sap_continuous(factors, factors, active=active).score == 0
    assert sap_discrete(train, train, test, test, active=active).score == 0
    assert explicitness(train, train, test, test, active=active).score == 0.5
    assert (bagged(factors, factors, active=active).disentanglement) == 0
    points = beta_vae_score(factors, factors, PoolSampler(factors, factors), points=90, test_points=90, active=active)
    assert points.score < 0.6


@pytest.mark.parametrize(
    ("codes", "factors", "active", "code"),
    [
        (np.zeros((4, 2)), np.zeros((5, 2)), None, "CV510"),
        (np.zeros(4), np.zeros((4, 1)), None, "CV510"),
        (np.zeros((0, 2)), np.zeros((0, 2)), None, "CV510"),
        (np.zeros((4, 2)), np.arange(8).reshape(4, 2) % 2, [True], "CV510"),
        (np.full((4, 2), np.nan), np.zeros((4, 2)), None, "CV511"),
        (np.zeros((4, 2)), np.full((4, 2), np.inf), None, "CV511"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(codes: Array, factors: Array, active: list[bool] | None, code: str) -> None:
    with pytest.raises(CausalVAEError) as caught:
        mig(codes, factors, active=active)
    assert caught.value.code == code


def test_a_factor_that_the_training_set_lacks_is_refused() -> None:
    factors = oracle(40)
    with pytest.raises(CausalVAEError) as caught:
        sap_discrete(factors, np.zeros_like(factors), factors, factors)
    assert caught.value.code == "CV512"


def test_an_unknown_regressor_is_refused() -> None:
    factors = oracle(40)
    with pytest.raises(CausalVAEError) as caught:
        dci(factors, factors, factors, factors, regressor="forest")  # type: ignore[arg-type]
    assert caught.value.code == "CV514"


def test_groups_share_their_factor_and_members_differ() -> None:
    factors = oracle(900)
    codes = np.column_stack([np.arange(900.0), factors])
    sampler = PoolSampler(codes, factors)
    groups = sampler(2, 50, 64, np.random.default_rng(0))
    assert groups.shape == (50, 64, 4)
    assert (np.ptp(groups[:, :, 3], axis=1) == 0).all()
    assert len(np.unique(groups[:, 0, 3])) == 4
    assert all(len(np.unique(group[:, 0])) == 64 for group in groups)
    np.testing.assert_array_equal(groups, sampler(2, 50, 64, np.random.default_rng(0)))


def test_every_subset_is_equally_likely() -> None:
    drawn = draw_distinct(np.full(6000, 4), 2, np.random.default_rng(0))
    _, counts = np.unique(np.sort(drawn, axis=1), axis=0, return_counts=True)
    # Six subsets, 1,000 each, with a standard deviation of 29.
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 120


def test_a_value_with_few_samples_makes_a_group_of_all_of_them_and_of_none_twice() -> None:
    drawn = draw_distinct(np.array([3, 9]), 5, np.random.default_rng(0))
    assert drawn[0].tolist() == [0, 1, 2, -1, -1]
    assert len(set(drawn[1].tolist())) == 5
    factors = np.array([[0]] * 3 + [[1]] * 20)
    codes = np.arange(23.0)[:, None]
    groups = PoolSampler(codes, factors)(0, 40, 8, np.random.default_rng(0))[:, :, 0]
    few = groups[:, 0] < 3
    assert 0 < few.sum() < 40
    assert all(group[:3].tolist() == [0, 1, 2] and np.isnan(group[3:]).all() for group in groups[few])
    assert all(len(set(group.tolist())) == 8 for group in groups[~few])


def test_a_value_that_occurs_once_makes_no_group() -> None:
    factors = oracle(40)
    factors[0, 0] = 7
    with pytest.raises(CausalVAEError) as caught:
        PoolSampler(factors, factors)
    assert caught.value.code == "CV515"


def test_a_value_that_occurs_once_is_told_by_its_factors_name() -> None:
    factors = np.array([[i % 2, 0] for i in range(20)] + [[0, 1]])
    for names, said in (((), "factor 1"), (("shape", "tilt"), "'tilt'")):
        with pytest.raises(CausalVAEError, match=f"A value of {said} occurs once") as refused:
            PoolSampler(factors.astype(float), factors, names)
        assert refused.value.code == "CV515"
