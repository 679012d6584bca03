"""The paired bootstrap against a naive loop, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.effects.bootstrap import PairedBootstrap, paired_bootstrap


def test_every_resample_draws_n_pairs() -> None:
    weights = PairedBootstrap(37, 200, seed=3).weights
    assert weights.shape == (200, 37)
    assert (weights.sum(axis=1) == 37).all()
    assert weights.mean() == pytest.approx(1)
    # A pair's count is nearly Poisson with mean one: about 1/e of them are zero.
    assert np.mean(weights == 0) == pytest.approx(np.exp(-1), abs=0.02)


def test_replicates_and_interval_equal_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    top, bottom = rng.normal(size=(3, 25)), 1 + rng.random((3, 25))
    boot = PairedBootstrap(25, 99, confidence=0.9, seed=5)
    result = boot.ratio(top, bottom)
    for k in range(3):
        naive = []
        for counts in boot.weights:
            pairs = np.repeat(np.arange(25), counts.astype(int))
            naive.append(top[k, pairs].sum() / bottom[k, pairs].sum())
        np.testing.assert_allclose(boot.replicates(top, bottom)[k], naive, rtol=1e-12)
        assert result.value[k] == pytest.approx(top[k].sum() / bottom[k].sum(), rel=1e-14)
        assert (result.lower[k], result.upper[k]) == pytest.approx(tuple(np.quantile(naive, (0.05, 0.95))), rel=1e-12)


def test_a_mean_is_a_ratio_over_ones_and_chunks_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(1100, 12))
    boot = PairedBootstrap(12, 50, seed=0)
    mean, ratio = boot.ratio(columns), boot.ratio(columns, np.ones_like(columns))
    np.testing.assert_allclose(mean.value, ratio.value, rtol=1e-12)
    np.testing.assert_allclose(mean.lower, ratio.lower, rtol=1e-12)
    one = boot.ratio(columns[700:701])
    assert (one.lower[0], one.upper[0]) == pytest.approx((mean.lower[700], mean.upper[700]), rel=1e-12)


def test_the_seed_decides() -> None:
    column = np.random.default_rng(2).normal(size=(1, 40))
    first, again = (PairedBootstrap(40, 100, seed=s).ratio(column) for s in (1, 1))
    other = PairedBootstrap(40, 100, seed=2).ratio(column)
    assert first.lower == again.lower
    assert first.lower != other.lower
    assert paired_bootstrap(40, 100, 0.95, 1) is paired_bootstrap(40, 100, 0.95, 1)


def test_resamples_without_a_denominator_are_left_out() -> None:
    top, bottom = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    result = PairedBootstrap(3, 500, seed=0).ratio(top, bottom)
    assert result.value[0] == 1.5
    assert (result.lower[0], result.upper[0]) == (1.0, 2.0)
    assert np.isnan([result.value[1], result.lower[1], result.upper[1]]).all()


def test_coverage_of_a_share() -> None:
    rng = np.random.default_rng(11)
    n, runs, share = 80, 400, 0.6
    total = rng.normal(2.0, 1.0, (runs, n))
    indirect = share * total + rng.standard_t(6, (runs, n))
    # E[sum NIE TE] / E[sum TE^2] = share, whatever the noise.
    result = PairedBootstrap(n, 400, seed=1).ratio(indirect * total, total**2)
    covered = np.mean((result.lower <= share) & (share <= result.upper))
    assert 0.91 <= covered <= 0.98
