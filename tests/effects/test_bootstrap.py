"""The paired bootstrap against a naive loop, and its coverage."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from causalvae.effects import bootstrap
from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import Ends, PairedBootstrap, paired_bootstrap
from causalvae.effects.notes import MEAN_CHANGE
from causalvae.plan.owner import Owner
from causalvae.report.notes import notes_words
from tests.effects.synthetic import expanded_tail, naive_studentised


@pytest.mark.parametrize("n", [1, 7, 64])
def test_resamples_are_those_of_one_draw_of_all(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.random.default_rng(3).integers(0, n, (50, n))
    counts = np.stack([np.bincount(row, minlength=n) for row in drawn])
    for at_once in (1, 10, 130, 4_000_000):
        monkeypatch.setattr(bootstrap, "_DRAWN", at_once)
        assert np.array_equal(PairedBootstrap(n, 50, seed=3).weights, counts)


def test_every_resample_draws_n_pairs() -> None:
    weights = PairedBootstrap(37, 200, seed=3).weights
    assert weights.shape == (200, 37)
    assert (weights.sum(axis=1) == 37).all()
    assert weights.mean() == pytest.approx(1)
    # A pair's count is nearly Poisson with mean one: about 1/e of them are zero.
    assert np.mean(weights == 0) == pytest.approx(np.exp(-1), abs=0.02)


def test_replicates_and_interval_equal_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    # The last denominator is negative in some pairs, so that nothing bounds the ratio.
    top, bottom = rng.normal(size=(3, 25)), 1 + rng.random((3, 25)) - np.array([[0], [0], [1.1]])
    boot = PairedBootstrap(25, 99, confidence=0.9, seed=5)
    result, mean = boot.ratio(top, bottom), boot.ratio(top)
    for k in range(3):
        naive = []
        for counts in boot.weights:
            pairs = np.repeat(np.arange(25), counts.astype(int))
            naive.append(top[k, pairs].sum() / bottom[k, pairs].sum())
        np.testing.assert_allclose(boot.replicates(top, bottom)[k], naive, rtol=1e-12)
        assert result.value[k] == pytest.approx(top[k].sum() / bottom[k].sum(), rel=1e-14)
        assert result.ends(k)[:2] == pytest.approx(naive_studentised(top[k], bottom[k], boot.weights, 0.9), rel=1e-9)
        assert mean.ends(k)[:2] == pytest.approx(naive_studentised(top[k], np.ones(25), boot.weights, 0.9), rel=1e-9)
        assert result.ends(k).kind == mean.ends(k).kind == "bootstrap-t"


def test_missing_pairs_are_as_if_never_drawn() -> None:
    rng = np.random.default_rng(9)
    known = np.arange(30) % 3 != 0
    top = np.where(known, rng.gamma(2.0, size=30), 0.0)
    boot = PairedBootstrap(30, 199, seed=2)
    result = boot.ratio(top[None], known[None].astype(float))
    # Of resamples of all pairs the known ones among them: not 20 in each, but on the 20 pairs' own level.
    t = []
    for counts in boot.weights:
        drawn = np.repeat(top[known], counts[known].astype(int))
        t.append((drawn.mean() - top[known].mean()) / (drawn.std() / np.sqrt(len(drawn))))
    tail = expanded_tail(20)
    error = top[known].std() / np.sqrt(20)
    assert result.ends(0)[:2] == pytest.approx(top[known].mean() - np.quantile(t, [1 - tail, tail]) * error, rel=1e-9)


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


def test_intervals_equal_scipys_bca_on_the_same_resamples() -> None:
    rng = np.random.default_rng(4)
    n, k = 31, 5
    top = rng.gamma(0.8, size=(k, n))
    bottom = 0.3 + top + rng.random((k, n))
    boot = PairedBootstrap(n, 799, confidence=0.9, seed=8)
    result, mean = (
        boot.interval(value, boot.replicates(*columns), boot.leave_one_out(*columns))
        for value, columns in ((top.sum(axis=1) / bottom.sum(axis=1), (top, bottom)), (top.mean(axis=1), (top,)))
    )
    assert (result.kinds == "BCa").all() and (mean.kinds == "BCa").all()
    for row in range(k):
        for ours, data, statistic, draws in (
            (mean, (top[row],), lambda a, axis=-1: a.mean(axis=axis), boot.replicates(top)),
            (
                result,
                (top[row], bottom[row]),
                lambda a, b, axis=-1: a.sum(axis=axis) / b.sum(axis=axis),
                boot.replicates(top, bottom),
            ),
        ):
            theirs = stats.bootstrap(
                data,
                statistic,
                n_resamples=0,
                paired=len(data) > 1,
                vectorized=True,
                method="BCa",
                confidence_level=1 - 2 * expanded_tail(n, 0.9),
                bootstrap_result=SimpleNamespace(bootstrap_distribution=draws[row]),
            ).confidence_interval
            assert ours.ends(row)[:2] == pytest.approx((theirs.low, theirs.high), rel=1e-9)
            assert ours.ends(row).kind == "BCa"


def test_the_jackknife_equals_a_naive_loop() -> None:
    rng = np.random.default_rng(6)
    top, bottom = rng.normal(size=(3, 14)), 1 + rng.random((3, 14))
    boot = PairedBootstrap(14)
    for k in range(3):
        rest = [np.delete(np.arange(14), i) for i in range(14)]
        np.testing.assert_allclose(
            boot.leave_one_out(top, bottom)[k], [top[k, r].sum() / bottom[k, r].sum() for r in rest], rtol=1e-12
        )
        np.testing.assert_allclose(boot.leave_one_out(top)[k], [top[k, r].mean() for r in rest], rtol=1e-12)


def test_percentile_where_bias_or_acceleration_is_undefined() -> None:
    # Only one pair has a denominator worth the name: without it the ratio is undefined.
    top, bottom = np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[2.0, 0.0, 0.0, 0.0]])
    one = PairedBootstrap(4, 300, seed=0).ratio(top, bottom)
    assert (one.value[0], one.lower[0], one.upper[0]) == (0.5, 0.5, 0.5)
    assert one.ends(0).kind == "percentile"
    # All pairs alike: nothing accelerates.
    alike = PairedBootstrap(9, 300, seed=0).ratio(np.full((1, 9), 0.1))
    assert alike.ends(0).kind == "percentile"
    assert (alike.lower[0], alike.upper[0]) == pytest.approx((0.1, 0.1), rel=1e-12)
    # Every replicate on one side of the estimate: the bias is infinite.
    boot = PairedBootstrap(5, 200, confidence=0.9, seed=0)
    draws = np.linspace(1, 2, 200)[None]
    skewed = boot.interval(np.array([3.0]), draws, np.array([[1.0, 2.0, 3.0, 4.0, 6.0]]))
    assert skewed.kinds[0] == "percentile"
    levels = expanded_tail(5, 0.9), 1 - expanded_tail(5, 0.9)
    assert (skewed.lower[0], skewed.upper[0]) == pytest.approx(tuple(np.quantile(draws, levels)), rel=1e-12)


def test_an_estimate_says_which_interval_it_has() -> None:
    ablation = Ablation(Owner.intervention("a"), seed=0, confidence=0.95)
    ends = PairedBootstrap(20, 200).ratio(np.random.default_rng(0).gamma(1.0, size=(1, 20))).ends(0)
    estimate = ablation.estimate("effect_size", "area", "sd", 20, 1.0, ends, notes=(MEAN_CHANGE,))
    assert (estimate.interval, estimate.notes) == ("bootstrap-t", (MEAN_CHANGE,))
    fallen = ablation.estimate("effect_size", "area", "sd", 20, 1.0, Ends(0.5, 1.5, "percentile"), notes=(MEAN_CHANGE,))
    assert fallen.interval == "percentile"
    assert notes_words(fallen.notes).startswith("p tests that the mean change is zero; percentile interval")
    assert ablation.estimate("effect_size", "area", "sd", 20, 1.0, Ends(np.nan, 1.0, "BCa")).interval == ""


def test_rare_effects_fall_back_on_bca() -> None:
    # Two of 40 pairs have an effect: every seventh resample has none, and no spread to studentise by.
    column = np.zeros((1, 40))
    column[0, [3, 17]] = 1.0
    boot = PairedBootstrap(40, 1000, seed=0)
    ends = boot.ratio(column).ends(0)
    assert ends.kind == "BCa"
    naive = boot.interval(column.mean(axis=1), boot.replicates(column), boot.leave_one_out(column))
    assert ends[:2] == pytest.approx(naive.ends(0)[:2], rel=1e-12)
    assert 0 <= ends.lower < 0.05 < ends.upper < 0.3


def test_intervals_end_where_the_pairs_do() -> None:
    rng = np.random.default_rng(12)
    squares = rng.exponential(size=(300, 6)) ** 4
    means = PairedBootstrap(6, 400, seed=1).ratio(squares)
    assert (means.lower >= squares.min(axis=1)).all() and (means.upper <= squares.max(axis=1)).all()
    weights = rng.random((300, 6))
    shares = PairedBootstrap(6, 400, seed=1).ratio(np.minimum(squares, 1) * weights, weights)
    assert (shares.lower >= 0).all() and (shares.upper <= 1).all()
    # A pair without a denominator may move the ratio anywhere to its side.
    loose = PairedBootstrap(6, 400, seed=1).ratio(np.array([[1.0, 2, 3, 4, 5, 6]]), np.array([[0.0, 1, 1, 1, 1, 1]]))
    assert loose.lower[0] >= 2 and loose.upper[0] > 4.2


def test_the_order_and_the_scale_of_pairs_do_not_matter() -> None:
    rng = np.random.default_rng(13)
    top, bottom = rng.gamma(1.0, size=(20, 64)), rng.gamma(2.0, size=(20, 64))
    boot = PairedBootstrap(64, 4000, seed=3)
    first = boot.ratio(top, bottom)
    order = rng.permutation(64)
    again = boot.ratio(top[:, order], bottom[:, order])
    # The same pairs under other numbers are drawn otherwise: the ends differ by the noise of resampling alone.
    width = first.upper - first.lower
    assert (np.abs(again.lower - first.lower) < 0.12 * width).all()
    assert (np.abs(again.upper - first.upper) < 0.12 * width).all()
    scaled = boot.ratio(-3e8 * top, bottom)
    np.testing.assert_allclose(scaled.lower, -3e8 * first.upper, rtol=1e-9)
    np.testing.assert_allclose(scaled.upper, -3e8 * first.lower, rtol=1e-9)


def test_bca_where_it_is_asked_for() -> None:
    rng = np.random.default_rng(8)
    top, bottom = rng.exponential(size=(2, 2, 60))
    asked = paired_bootstrap(60, 400, 0.95, 3, bca=True)
    told = asked.ratio(top, bottom)
    expected = asked.interval(
        top.sum(1) / bottom.sum(1), asked.replicates(top, bottom), asked.leave_one_out(top, bottom)
    )
    np.testing.assert_allclose(told.lower, expected.lower, rtol=1e-12)
    np.testing.assert_allclose(told.upper, expected.upper, rtol=1e-12)
    assert set(told.kinds) == {"BCa (asked)"}
    studentised = paired_bootstrap(60, 400, 0.95, 3).ratio(top, bottom)
    assert set(studentised.kinds) == {"bootstrap-t"} and (studentised.lower != told.lower).all()
