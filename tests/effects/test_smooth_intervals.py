"""Functions of several means: gradients against differences, intervals against a naive loop."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.effects import smooth_intervals as smooth
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.modularity import EffectModularity
from causalvae.effects.smooth_intervals import (
    EffectBreadth,
    EffectEntropy,
    OneMinusMean,
    SmoothFunction,
    smooth_intervals,
)
from causalvae.effects.vector_means import ShareOfMean
from tests.effects.synthetic import Array, naive_by_weights

FUNCTIONS: dict[str, SmoothFunction] = {
    "entropy": EffectEntropy(6),
    "breadth": EffectBreadth(6),
    "mean": OneMinusMean(),
    "share of a vector": ShareOfMean(3),
    "modularity": EffectModularity(np.array([0, 1, 1]), np.array([1, 0])),
}


def naive_ends(function: SmoothFunction, columns: Array, boot: PairedBootstrap) -> tuple[float, float]:
    def value(counts: Array) -> float:
        known = np.isfinite(columns)
        means = (np.where(known, columns, 0) * counts).sum(axis=1) / (known * counts).sum(axis=1)
        return float(function.value(means[None, :, None])[0, 0])

    ends = naive_by_weights(value, boot.weights, int(np.isfinite(columns).sum(axis=1).min()))
    low, high = np.clip(ends, *function.limits)
    return float(low), float(high)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_slopes(name: str) -> None:
    function = FUNCTIONS[name]
    means = np.random.default_rng(0).uniform(0.05, 0.9, (1, 6, 3))
    gradient = function.gradient(means)
    for j in range(6):
        step = np.zeros_like(means)
        step[:, j] = 1e-6
        slope = (function.value(means + step) - function.value(means - step)) / 2e-6
        np.testing.assert_allclose(gradient[:, j], slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_intervals_equal_a_naive_loop(name: str, missing: bool) -> None:
    columns = np.random.default_rng(1).uniform(size=(2, 6, 18)) ** 2
    if missing:
        columns[0, 2, [1, 5]] = np.nan
    boot = PairedBootstrap(18, 60, seed=4)
    alone = [smooth_intervals(columns[k : k + 1], FUNCTIONS[name], boot) for k in range(2)]
    for k, found in enumerate(alone):
        assert found.kinds[0] == "bootstrap-t"
        assert found.ends(0)[:2] == pytest.approx(naive_ends(FUNCTIONS[name], columns[k], boot), rel=1e-5)


def test_a_breadth_of_one_or_of_none() -> None:
    columns = np.zeros((2, 3, 20))
    columns[0, 1] = np.random.default_rng(2).uniform(size=20)
    found = smooth_intervals(columns, EffectBreadth(3), PairedBootstrap(20, 99))
    assert (found.value[0], *found.ends(0)) == (1.0, 1.0, 1.0, "percentile")
    # Several at once are as each alone; the second has no effect at all.
    assert np.isnan([found.value[1], found.lower[1], found.upper[1]]).all()


def test_a_mean_overlap_is_the_mean_of_one_column_where_nothing_is_missing() -> None:
    overlaps = np.random.default_rng(3).uniform(size=(1, 5, 25))
    boot = PairedBootstrap(25, 199, seed=1)
    found, mean = smooth_intervals(overlaps, OneMinusMean(), boot), boot.ratio(overlaps.mean(axis=1))
    assert found.ends(0)[:2] == pytest.approx((1 - mean.upper[0], 1 - mean.lower[0]), rel=1e-9)


def test_few_pairs_with_an_effect_fall_back_on_bca() -> None:
    columns = np.zeros((1, 2, 40))
    columns[0, :, [3, 17]] = [[1.0, 0.2], [0.5, 0.4]]
    ends = smooth_intervals(columns, EffectBreadth(2), PairedBootstrap(40, 500, seed=0)).ends(0)
    assert ends.kind == "BCa"
    assert 1 <= ends.lower < ends.upper <= 2


def test_few_columns_and_many_are_summed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    # Columns that are nearly one another: their influences cancel.
    common = np.random.default_rng(5).uniform(size=30)
    columns = (common * np.array([1.0, 0.5, 0.1])[:, None])[None] * (
        1 + 1e-4 * np.random.default_rng(6).normal(size=30)
    )
    columns = columns * (1 + 1e-3 * np.random.default_rng(7).normal(size=columns.shape))
    boot = PairedBootstrap(30, 200, seed=2)
    few = smooth_intervals(columns, EffectEntropy(3), boot)
    monkeypatch.setattr(smooth, "_FEW", 0)
    many = smooth_intervals(columns, EffectEntropy(3), boot)
    assert few.ends(0)[:2] == pytest.approx(many.ends(0)[:2], rel=1e-9)
    assert few.lower[0] < few.value[0] < few.upper[0] < few.lower[0] + 0.01
