"""Changes of attributes on a circle, compared with one another by a loop over turns."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.alignment.columns import Columns, FactorColumns, Unit, Units
from causalvae.alignment.decisions import share_test
from causalvae.alignment.interchange import measure_interchange
from causalvae.alignment.repair import right_pairs

PERIOD = 180.0
SD = PERIOD / np.sqrt(12)
UNIT = Unit(SD, PERIOD)


class OneUnit(Units):
    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def __getitem__(self, name: str) -> Unit:
        return self._unit


def nearest_turn(angle: float) -> float:
    return min((angle + PERIOD * turn for turn in range(-3, 4)), key=abs)


def angles(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    before, after = rng.uniform(0, PERIOD, (2, n))
    return before, after, before + rng.normal(0, noise, n), after + rng.normal(0, noise, n)


def columns(data: np.ndarray, network: np.ndarray, mapping: np.ndarray) -> FactorColumns:
    everywhere = np.ones(len(data), dtype=bool)
    error = {"y": np.zeros(len(data))}
    found = Columns("a", "y", False, data, network, mapping, everywhere, everywhere, UNIT.circle)
    return FactorColumns("a", (found,), {}, error, error)


def test_the_share_counts_each_change_from_its_reference_the_short_way_round() -> None:
    before, after, near_before, near_after = angles(60, 8.0)
    data, network = UNIT.change(before, after), UNIT.change(near_before, near_after)
    top = bottom = 0.0
    for one, other in zip(data * SD, network * SD, strict=True):
        top += one * (one + nearest_turn(other - one))
        bottom += one * one
    test = share_test(network, data, UNIT.circle)
    assert test.share == pytest.approx(top / bottom)
    assert share_test(network, data).share < 0.9 < test.share


def test_numbers_without_a_period_are_unchanged() -> None:
    rng = np.random.default_rng(1)
    changes, reference = rng.normal(size=(2, 50))
    assert share_test(changes, reference).share == float((changes * reference).sum()) / float((reference**2).sum())
    assert Unit(2.0).circle is None and Unit(2.0, 8.0, categorical=True).circle is None and Unit(2.0, 8.0).circle == 4.0


def test_a_right_network_with_noise_is_never_lost() -> None:
    for seed in range(20):
        before, after, near_before, near_after = angles(512, 8.0, seed)
        test = share_test(UNIT.change(near_before, near_after), UNIT.change(before, after), UNIT.circle)
        assert test.p_agrees < 0.001 and test.share == pytest.approx(1.0, abs=0.03)


def test_a_network_that_turns_half_as_far_is_lost() -> None:
    before, after, _, _ = angles(512, 0.0)
    change = UNIT.change(before, after)
    test = share_test(change / 2, change, UNIT.circle)
    assert test.share == pytest.approx(0.5) and test.p_departs < 0.001


def test_a_pair_is_right_where_the_angles_are_within_the_bound() -> None:
    before, after, _, _ = angles(200, 0.0)
    patched = after + np.random.default_rng(2).normal(0, 9.0, 200)
    data = network = UNIT.change(before, after)
    hits = [abs(nearest_turn(one - other)) <= 0.25 * SD for one, other in zip(patched, after, strict=True)]
    found = columns(data, network, UNIT.change(before, patched))
    measured = measure_interchange(found, 0.95)
    assert measured is not None and measured.accuracy.value == np.mean(hits)
    right = right_pairs(found, OneUnit(UNIT), before[:, None], patched[:, None], slice(0, 200))
    np.testing.assert_array_equal(right, hits)
    # A pair near half a period is among those that separately wrapped changes get wrong.
    apart = np.abs(UNIT.change(before, patched) - network) <= 0.25
    assert (apart != hits).any()
