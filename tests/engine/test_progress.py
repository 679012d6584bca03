"""How fast work goes and how long it will take: against work whose pace is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from causalvae.engine.effort import Finished
from causalvae.engine.execute import execute_plan
from causalvae.engine.progress import Counter, Progress
from causalvae.models.loading import Model
from tests.engine.conftest import Blobs
from tests.engine.test_engine_resume import PLAN


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def count(total: int, effort: float) -> tuple[Counter, Clock, list[Progress]]:
    clock, seen = Clock(), []
    return Counter("work", "rows", total, effort, seen.append, clock), clock, seen


def test_steady_work_has_its_rate_and_its_time_left() -> None:
    counter, clock, seen = count(1000, 500.0)
    for _ in range(100):
        clock.now += 0.25
        counter(5, 2.5)
    assert (seen[-1].done, seen[-1].total) == (500, 1000)
    assert seen[-1].rate == pytest.approx(20)
    assert seen[-1].left == pytest.approx(25)
    assert seen[0].rate is None, "a pace over a quarter of a second is no pace"


def test_the_time_left_is_told_by_effort() -> None:
    """Half of the rows take a ninth of the time: rows alone would promise a ninth of the time that is left."""
    counter, clock, seen = count(200, 100 * 1.0 + 100 * 9.0)
    for _ in range(100):
        clock.now += 0.1
        counter(1, 1.0)
    assert seen[-1].left == pytest.approx(90)


def test_the_pace_is_that_of_the_last_while() -> None:
    counter, clock, seen = count(10**6, 1e6)
    for rate in (1000, 10):
        for _ in range(400):
            clock.now += 0.5
            counter(rate // 2, rate / 2)
    assert seen[-1].rate == pytest.approx(10)
    assert seen[-1].left == pytest.approx((10**6 - 202000) / 10)


def test_what_an_earlier_run_did_is_no_pace() -> None:
    counter, clock, seen = count(1000, 1000.0)
    counter.skip(800, 800.0)
    assert seen[-1] == Progress("work", 800, 1000, "rows")
    for _ in range(10):
        clock.now += 1
        counter(10, 10.0)
    assert seen[-1].rate == pytest.approx(10)
    assert seen[-1].left == pytest.approx(10)


def test_no_pace_is_told_while_nothing_happens() -> None:
    counter, clock, seen = count(10, 10.0)
    clock.now += 5
    counter(0, 0.0)
    assert (seen[-1].rate, seen[-1].left) == (None, None)


def test_memory_of_the_pace_is_bounded() -> None:
    counter, clock, _ = count(10**6, 1e6)
    for _ in range(20000):
        clock.now += 0.01
        counter(1, 1.0)
    assert len(counter.pace.samples) < 200


@pytest.mark.parametrize(
    ("rows", "live", "batches"), [(100, 40, [16, 16, 8]), (7, 7, [7]), (9, 0, []), (1000, 3, [1, 2])]
)
def test_rows_that_are_left_out_are_told_among_those_that_are_run(rows: int, live: int, batches: list[int]) -> None:
    told: list[tuple[int, float]] = []
    finished = Finished(rows, live, 0.5, lambda count, effort: told.append((count, effort)))
    run = 0
    for batch in batches:
        finished(batch)
        run += batch
        assert sum(count for count, _ in told) == rows * run // live
    finished.rest()
    assert sum(count for count, _ in told) == rows
    assert all(effort == 0.5 * count for count, effort in told)


def test_a_run_ends_with_no_time_left(
    sample_model: Model, measure: Callable[[Tensor], Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("causalvae.engine.progress._SHORTEST", 0.0)
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seen: list[Progress] = []
        execute_plan(PLAN, sample_model, Blobs(), measure, tmp_path, "cpu", seen.append)
    finally:
        torch.set_num_threads(allowed)
    steps = [step for step in seen if step.left is not None]
    assert len(steps) > 20
    # Clean rows are copied; every other takes a part of a forward pass, so effort is what is left of all.
    assert steps[-1].left == pytest.approx(0, abs=1e-6)
    assert all(step.rate is not None and step.rate >= 0 for step in steps)
