"""The paired t-test: against scipy, at its edges, and its size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from causalvae.effects.significance import t_test


def test_equals_scipy() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.2, 1, (5, 30))
    test = t_test(values)
    for name, alternative in (("p_two_sided", "two-sided"), ("p_greater", "greater"), ("p_less", "less")):
        expected = stats.ttest_1samp(values, 0.0, axis=1, alternative=alternative).pvalue
        np.testing.assert_allclose(getattr(test, name), expected, rtol=1e-10)


def test_values_that_are_not_finite_are_left_out() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 20))
    gappy = values.copy()
    gappy[0, [3, 9]] = np.nan
    test = t_test(gappy)
    kept = np.delete(values[0], [3, 9])
    assert test.n.tolist() == [18, 20]
    assert test.p_two_sided[0] == pytest.approx(stats.ttest_1samp(kept, 0).pvalue)
    assert test.p_two_sided[1] == pytest.approx(stats.ttest_1samp(values[1], 0).pvalue)


def test_rows_that_do_not_vary() -> None:
    test = t_test(np.array([[0.0] * 10, [0.1] * 10, [-0.3] * 10]))
    assert test.p_two_sided.tolist() == [1.0, 2 * 0.5**10, 2 * 0.5**10]
    assert test.p_greater.tolist() == [1.0, 0.5**10, 1.0]
    assert test.p_less.tolist() == [1.0, 1.0, 0.5**10]


def test_too_few_pairs_decide_nothing() -> None:
    test = t_test(np.array([[np.nan, 3.0], [np.nan, np.nan]]))
    assert test.p_two_sided.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["normal", "laplace", "exponential", "mostly zero"])
def test_size_under_a_true_null(kind: str) -> None:
    rng = np.random.default_rng(7)
    shape = (6000, 64)
    values = {
        "normal": lambda: rng.normal(size=shape),
        "laplace": lambda: rng.laplace(size=shape),
        "exponential": lambda: rng.exponential(size=shape) - 1,
        "mostly zero": lambda: rng.normal(size=shape) * (rng.random(shape) < 0.2),
    }[kind]()
    rejected = np.mean(t_test(values).p_two_sided <= 0.05)
    # Three binomial standard errors are 0.0084; the skewed null may be a little off besides.
    assert 0.035 <= rejected <= (0.075 if kind == "exponential" else 0.0585)
