"""Associations within strata against dummies, a loop over redraws, and their nominal level."""

import numpy as np
import pytest
import statsmodels.api as sm

from causalvae.alignment.strata import Association, Strata


def draw(rng: np.random.Generator, n: int, effect: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A factor of three levels that goes with another label, and an attribute of both."""
    other = rng.integers(0, 4, n).astype(float)
    factor = np.where(rng.random(n) < 0.5, other % 3, rng.integers(0, 3, n)).astype(float)
    return (
        factor,
        other[:, None],
        effect * np.array([0.0, 1.0, -0.5])[factor.astype(int)] + other + rng.standard_normal(n),
    )


def test_coefficients_and_covariance_are_those_of_a_regression_with_dummies() -> None:
    factor, others, values = draw(np.random.default_rng(0), 300, 0.4)
    found = Strata.of(factor, others).regress(values)
    levels = [(factor == level).astype(float) for level in (1, 2)]
    dummies = [(others[:, 0] == cell).astype(float) for cell in range(4)]
    expected = sm.OLS(values, np.column_stack([*levels, *dummies])).fit()
    np.testing.assert_allclose(found.coefficients[1:], expected.params[:2])
    np.testing.assert_allclose(found.covariance[1:, 1:], expected.cov_params()[:2, :2])


def test_the_mean_square_is_that_of_a_loop_over_redraws() -> None:
    rng = np.random.default_rng(1)
    factor, others, _ = draw(rng, 90, 0.0)
    steps = np.array([0.0, 1.5, -0.5])
    found = Strata.of(factor, others).regress(steps[factor.astype(int)] + others[:, 0])
    total = 0.0
    for before in factor:
        for after in factor:
            total += (steps[int(after)] - steps[int(before)]) ** 2
    assert found.mean_square == pytest.approx(total / 90**2)
    assert found.error == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(found.change(np.array([0.0, 2.0]), np.array([1.0, 0.0])), [1.5, 0.5])


def test_size_at_the_bound_and_power_off_it() -> None:
    rng = np.random.default_rng(2)
    steps = np.array([0.0, 1.0, -0.5])
    rates = {}
    for effect in (0.0, 0.15, 0.5, 1.0):
        hits = []
        for _ in range(400):
            factor, others, values = draw(rng, 400, effect)
            found = Strata.of(factor, others).regress(values)
            shares = np.bincount(factor.astype(int)) / 400
            # The true effect under this draw's level shares is the bound.
            truth = effect**2 * 2 * (shares @ steps**2 - (shares @ steps) ** 2)
            hits.append((*found.weigh(np.sqrt(truth or 0.09)), *found.weigh(0.3)))
        rates[effect] = (np.array(hits) <= 0.05).mean(axis=0)
    assert (rates[0.15][:2] < 0.085).all()
    assert (rates[0.5][:2] < 0.085).all()
    assert rates[0.0][3] > 0.9
    assert rates[1.0][2] > 0.9


def test_what_the_samples_do_not_determine_is_refused() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal(60)
    assert Strata.of(np.zeros(60), np.zeros((60, 0))).regress(values) is None
    factor = rng.integers(0, 2, 60).astype(float)
    assert Strata.of(factor, np.arange(60.0)[:, None]).regress(values) is None
    assert Strata.of(factor, factor[:, None]).regress(values) is None
    assert Strata.of(factor, np.zeros((60, 0))).regress(np.where(factor > 0, values, np.nan)) is None


def test_a_coefficient_of_exactly_zero_still_has_an_error() -> None:
    # Independent columns of a full grid: the slope is zero to the last bit, and says no more than others of 16 samples.
    x, y = np.repeat(np.arange(4.0) - 1.5, 4), np.tile(np.arange(4.0) - 1.5, 4)
    slope = (x @ y) / (x @ x)
    residuals = y - slope * x
    variance = (x**2 * residuals**2).sum() / (x @ x) ** 2
    found = Association(np.zeros(0), np.array([slope]), np.array([[variance]]), np.array([[2 * x.var()]]), 16)
    assert slope == 0 and found.error == pytest.approx(np.sqrt(2 * x.var() * variance)) and found.error > 0.1
    nearly = Association(np.zeros(0), np.array([1e-9]), np.array([[variance]]), np.array([[2 * x.var()]]), 16)
    assert nearly.error == pytest.approx(found.error)
