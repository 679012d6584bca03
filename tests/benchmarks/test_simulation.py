"""The simulated cluster against closed forms."""

from __future__ import annotations

import pytest

from benchmarks.simulation import AHEAD, DriverCosts, Sweep, simulate


@pytest.mark.parametrize("workers", [1, 7, 1000])
def test_where_shards_take_no_time_the_driver_is_the_limit(workers: int) -> None:
    found = simulate([0.0] * 50, workers, DriverCosts(sending=0.25, receiving=0.5))
    assert found.makespan == pytest.approx(50 * 0.75)
    assert found.driver == pytest.approx(1.0) and found.worker == 0.0


@pytest.mark.parametrize("workers", [1, 4, 12])
def test_where_the_driver_takes_no_time_the_workers_are_the_limit(workers: int) -> None:
    found = simulate([2.0] * 24, workers, DriverCosts())
    assert found.makespan == pytest.approx(24 * 2.0 / workers)
    assert found.driver == 0.0 and found.worker == pytest.approx(1.0)


def test_more_workers_than_shards_take_as_long_as_the_longest() -> None:
    assert simulate([1.0, 5.0, 2.0], 10, DriverCosts(planning=3.0), opening=0.5).makespan == pytest.approx(8.5)


def test_one_worker_waits_for_the_first_shard_only() -> None:
    # Two shards are under way: one is run while the driver receives and sends.
    n, t, send, receive = 20, 1.0, 0.1, 0.2
    found = simulate([t] * n, 1, DriverCosts(1.0, send, receive), opening=4.0)
    assert AHEAD == 2
    assert found.makespan == pytest.approx(1.0 + send + 4.0 + n * t + receive)


def test_a_loaded_driver_and_loaded_workers_give_the_larger_of_the_two() -> None:
    n, t = 2000, 1.0
    for workers in (2, 5, 20, 50):
        found = simulate([t] * n, workers, DriverCosts(sending=0.02, receiving=0.08))
        assert found.makespan == pytest.approx(max(n * t / workers, n * 0.1), rel=0.02)


def test_a_sweep_is_cut_into_its_pairs() -> None:
    sweep = Sweep("s", 10, 6, clean=0.5, rows=1.0, costs=DriverCosts(0, 0.1, 0.2), receiving=0.01, opening=0.0)
    shards, costs = sweep.shards(4)
    assert shards == pytest.approx([6.0, 6.0, 3.0])
    assert costs.receiving == pytest.approx(0.2 + 0.01 * 6 * 10 / 3)
    assert sweep.limit(4) == pytest.approx(5.0 / (0.1 + 0.2 + 0.2))
    assert [found.workers for found in sweep.run(4, (1, 3))] == [1, 3]
