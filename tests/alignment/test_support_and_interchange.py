"""The ellipse and the interchange accuracy against plain loops."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.stats import binomtest

from causalvae.alignment.assess import assess
from causalvae.alignment.support import fit_ellipse
from causalvae.effects.outcomes import Outcomes
from causalvae.plan.owner import Owner
from tests.alignment.worlds import WORLDS, edges_of, identity, linear_world, run_world


def table(values: np.ndarray, side: str = "") -> pd.DataFrame:
    return pd.DataFrame({f"{side}factor:{name}": column for name, column in zip("pqr", values.T, strict=True)})


def test_the_ellipse_holds_99_percent_and_its_distances_are_mahalanobis() -> None:
    rng = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.0, 0.0], [0.8, 0.5, 0.0], [0.0, 0.3, 1.0]])
    values = rng.standard_normal((1000, 3)) @ mixing.T
    ellipse, correlation = fit_ellipse(table(values), "pqr")
    assert correlation == pytest.approx(np.abs(np.corrcoef(values.T) - np.eye(3)).max())
    precision = np.linalg.inv(np.cov(values.T))
    by_hand = [mahalanobis(row, values.mean(0), precision) ** 2 for row in values[:50]]
    np.testing.assert_allclose(ellipse.distances(values[:50]), by_hand)
    assert ellipse.holds(table(values, "base:"), "base").mean() == pytest.approx(0.99)
    # Held inputs that break the correlation are outside.
    broken = values.copy()
    broken[:, 0] = rng.permutation(broken[:, 0])
    assert ellipse.holds(table(broken, "base:"), "base").mean() < 0.8


def test_uncorrelated_or_constant_factors_have_no_ellipse() -> None:
    values = np.random.default_rng(1).standard_normal((2000, 3))
    values[:, 2] = 4.0
    assert fit_ellipse(table(values), "pqr") == (None, pytest.approx(0.0, abs=0.1))
    assert fit_ellipse(table(values), "r") == (None, 0.0)


def test_interchange_accuracy_is_counted_pair_by_pair() -> None:
    names = "abcd"
    network = identity(names, mapping={"a": (0, 3), "b": (1,)})
    run = run_world(linear_world(WORLDS["fork"]), network, edges_of("fork"), pairs=80, bootstrap=10)
    found = assess(run.spec, Outcomes(run.measurements), run.graph)
    ellipse, _ = fit_ellipse(run.measurements.observations, list(names))
    sd = {name: run.measurements.observations[f"input:y{name}"].std(ddof=1) for name in names}
    for factor in ("a", "b"):
        rows = run.measurements.contrasts
        rows = rows[rows["factor"] == factor].sort_values("pair")
        inside = ellipse.holds(rows, "counterfactual") & ellipse.holds(rows, "donor")
        (counterfactual,) = run.plan.uses_of(Owner("network", factor), "counterfactual")
        (patched,) = run.plan.uses_of(Owner("mapping", factor), "perturbation")
        hits = reached = near = n = 0
        for pair in np.flatnonzero(inside):
            wanted = {name: run.measurements.values(counterfactual.arm, f"y{name}")[pair] for name in names}
            got = {name: run.measurements.values(patched.arm, f"y{name}")[pair] for name in names}
            data = {name: rows[f"counterfactual:y{name}"].iloc[pair] for name in names}
            n += 1
            hits += all(abs(got[name] - wanted[name]) <= 0.25 * sd[name] for name in names)
            reached += all(abs(got[name] - data[name]) <= 0.25 * sd[name] for name in names)
            near += all(abs(wanted[name] - data[name]) <= 0.25 * sd[name] for name in names)
        (mine,) = (item for item in found.interchanges if item.factor == factor)
        assert (mine.accuracy.n, mine.accuracy.value) == (n, hits / n)
        assert (mine.against_data.value, mine.ceiling.value) == (reached / n, near / n)
        ends = binomtest(hits, n).proportion_ci(0.95, "exact")
        assert (mine.accuracy.lower, mine.accuracy.upper) == pytest.approx((ends.low, ends.high))
    assert found.headline.worst_interchange.factor == "a"
