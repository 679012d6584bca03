"""The curve against sums written out, and communities against a planted partition."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.analyses.discoveries.communities import find_modules
from causalvae.analyses.discoveries.curve import FRACTIONS, damage_faithfulness, measure_curve
from causalvae.analyses.discoveries.search import rank
from causalvae.effects.bootstrap import paired_bootstrap
from tests.analyses.discoveries import functions
from tests.analyses.discoveries.functions import Function


def test_curve_of_a_spread_outcome() -> None:
    function = Function(lambda z: z[:, :10].sum(axis=1) / 10, 100, 10)
    order = rank(function.alone())
    found = measure_curve(function, "single", order, paired_bootstrap(192, 200, 0.95, 0))
    assert [point.size for point in found.points] == [0, 0, 1, 1, 2, 5, 10, 20, 50, 100]
    for point in found.points:
        assert point.share == pytest.approx(min(point.size, 10) / 10, abs=0.1)
        assert point.lower <= point.share <= point.upper
    distance = area = 0.0
    for left, right in zip(found.points[:-1], found.points[1:], strict=True):
        width = right.fraction - left.fraction
        distance += width * (abs(1 - left.share) + abs(1 - right.share)) / 2
        area += width * (left.share + right.share) / 2
    assert found.cmd == pytest.approx(distance)
    assert found.cpr == pytest.approx(area)
    assert found.points[-1].ndf == 1.0
    assert found.points[0].ndf == pytest.approx(0.0)


def test_damage_faithfulness() -> None:
    assert damage_faithfulness(0.75, 1.0, 0.5) == 0.5
    assert damage_faithfulness(2.5, 1.0, 0.5) == 0.0
    assert damage_faithfulness(0.4, 1.0, 1.0) == 1.0


def test_fractions_are_those_of_the_benchmark() -> None:
    assert FRACTIONS == (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def test_area_of_a_constant_curve() -> None:
    function = Function(functions.carrier, 10, 1)
    order = rank(function.alone())
    found = measure_curve(function, "single", order, paired_bootstrap(192, 100, 0.95, 0))
    # Nothing up to 2 % of ten candidates, half of one at 5 %, which is rounded up.
    assert found.cmd == pytest.approx(0.019 + 0.03 / 2, abs=1e-6)


def test_planted_modules_are_found_and_random_wiring_has_none() -> None:
    layers = [0] * 6 + [1] * 6
    planted = [(i, 6 + j, 1.0) for i in range(6) for j in range(6) if (i < 3) == (j < 3)]
    found = find_modules(planted, layers, seed=0)
    assert found is not None
    assert set(found.communities) == {(0, 1, 2, 6, 7, 8), (3, 4, 5, 9, 10, 11)}
    assert found.p_value < 0.01
    assert found.modularity == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(6):
        chosen = rng.choice(36, 14, replace=False)
        wired = [(int(k) // 6, 6 + int(k) % 6, 1.0) for k in chosen]
        modules = find_modules(wired, layers, seed=1)
        assert modules is not None
        p_values.append(modules.p_value)
    assert sum(p <= 0.05 for p in p_values) <= 2
    assert find_modules(planted[:5], layers, seed=0) is None
