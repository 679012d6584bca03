"""Runs tasks in parallel: one thread per core, each with single-threaded kernels.

At batch sizes that fit the cache, multi-threaded kernels are inefficient, while independent shards scale; results do
not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar

import torch

Task = Callable[[], None]

# Threads that kernels had before they were limited.
_allowed: ContextVar[int | None] = ContextVar("allowed", default=None)


@contextmanager
def single_threaded_kernels() -> Iterator[int]:
    """Limit the kernels of torch and of linear algebra to one thread; yields the number of threads before any limit.

    Numbers then do not depend on the number of cores. The arrays of a run are small: several threads that share one
    spend more time in waiting for one another than in computing, most of all where other work is under way.
    """
    before = _allowed.get()
    if before is not None:
        yield before
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    allowed = torch.get_num_threads()
    token = _allowed.set(allowed)
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield allowed
    finally:
        torch.set_num_threads(allowed)
        _allowed.reset(token)


def run_tasks(tasks: Sequence[Task], workers: int) -> None:
    """Run all tasks, at most `workers` at the same time, started in order.

    Raises
    ------
    Exception
        The first exception of a task; running tasks are then finished, others are not started.
    """
    if workers <= 1 or len(tasks) <= 1:
        for task in tasks:
            task()
        return
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        futures = [pool.submit(_without_gradients, task) for task in tasks]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future.done():
                future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _without_gradients(task: Task) -> None:
    # Inference mode is per thread.
    with torch.inference_mode():
        task()
