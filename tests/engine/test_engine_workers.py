"""Shards beside each other: every task once, the first fault told, nothing left behind."""

from __future__ import annotations

from functools import partial
from threading import Lock, active_count

import pytest
import torch

from causalvae.engine.workers import run_tasks, single_threaded_kernels

WORKERS = pytest.mark.parametrize("workers", [1, 2, 5])


class FaultError(Exception):
    pass


@WORKERS
def test_every_task_is_run_once_without_gradients(workers: int) -> None:
    lock = Lock()
    ran: list[int] = []
    modes: list[bool] = []

    def task(number: int) -> None:
        with lock:
            ran.append(number)
            modes.append(torch.is_inference_mode_enabled())

    with torch.inference_mode():
        run_tasks([partial(task, number) for number in range(12)], workers)
    assert sorted(ran) == list(range(12))
    assert all(modes)


@WORKERS
def test_a_task_that_fails_stops_the_rest_and_is_told(workers: int) -> None:
    ran: list[int] = []

    def task(number: int) -> None:
        if number == 3:
            raise FaultError
        # Work enough that the fault is seen before all are done.
        torch.rand(200, 200) @ torch.rand(200, 200)
        ran.append(number)

    before = active_count()
    with pytest.raises(FaultError):
        run_tasks([partial(task, number) for number in range(2000)], workers)
    assert 3 not in ran
    assert len(ran) < 1999
    assert active_count() == before


def test_the_callers_threads_come_back_even_after_a_fault() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with pytest.raises(FaultError), single_threaded_kernels() as cores:
            assert (cores, torch.get_num_threads()) == (3, 1)
            raise FaultError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
