"""Intervals of means over units: against those of single units, against numeric gradients, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.mean_metrics import MeanEntropy, mean_length_ends, mean_specificity_ends
from causalvae.effects.smooth_intervals import EffectEntropy, smooth_intervals

RNG = np.random.default_rng(3)


def test_of_one_unit_it_is_that_units_interval() -> None:
    squares = RNG.gamma(1.0, size=(1, 3, 50))
    bootstrap = PairedBootstrap(50, 200)
    entropy = smooth_intervals(squares, EffectEntropy(3), bootstrap)
    found = mean_specificity_ends(squares, bootstrap)
    assert found is not None
    assert found.lower == pytest.approx(1 - entropy.upper[0] / np.log(3))
    assert found.upper == pytest.approx(1 - entropy.lower[0] / np.log(3))
    lengths = RNG.gamma(1.0, size=(1, 50))
    assert mean_length_ends(lengths, bootstrap) == bootstrap.ratio(lengths).ends(0)


def test_of_equal_units_it_is_no_narrower() -> None:
    # Units that are moved alike in every sample tell no more than one of them.
    squares, bootstrap = RNG.gamma(1.0, size=(1, 3, 50)), PairedBootstrap(50, 200)
    one, many = mean_specificity_ends(squares, bootstrap), mean_specificity_ends(np.repeat(squares, 5, 0), bootstrap)
    assert one is not None and many is not None
    assert many[:2] == pytest.approx(one[:2], abs=1e-9)


def test_the_gradient_is_that_of_differences() -> None:
    function = MeanEntropy(2, 3)
    means = RNG.gamma(1.0, size=(1, 6, 4))
    slopes = function.gradient(means)
    for column in range(6):
        moved = means.copy()
        moved[:, column] += 1e-6
        assert slopes[:, column] == pytest.approx((function.value(moved) - function.value(means)) / 1e-6, abs=1e-4)


def test_too_little_to_be_specific_about_has_no_interval() -> None:
    bootstrap = PairedBootstrap(20, 50)
    assert mean_specificity_ends(np.ones((2, 1, 20)), bootstrap) is None
    assert mean_specificity_ends(np.ones((0, 3, 20)), bootstrap) is None
    assert mean_specificity_ends(np.zeros((2, 3, 20)), bootstrap) is None


def test_intervals_hold_the_mean_over_units() -> None:
    # Two units of known mean squares: their entropies by hand.
    means = np.array([[1.0, 4.0], [9.0, 1.0]])
    shares = np.sqrt(means) / np.sqrt(means).sum(axis=1, keepdims=True)
    truth = 1 - (-(shares * np.log(shares)).sum(axis=1)).mean() / np.log(2)
    rng, held = np.random.default_rng(0), 0
    for trial in range(200):
        squares = means[:, :, None] * rng.normal(size=(2, 2, 60)) ** 2
        ends = mean_specificity_ends(squares, PairedBootstrap(60, 200, 0.9, trial))
        assert ends is not None
        held += ends.lower <= truth <= ends.upper
    # Binomial(200, 0.9) lies within these in 99.9 of 100 such tests.
    assert 165 <= held <= 194
