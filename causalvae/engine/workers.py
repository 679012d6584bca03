"""Runs shards beside each other: one thread a core, each with single-threaded kernels.

At the batch sizes that suit a cache, a kernel that is split over cores waits more than it works; whole shards share
nothing, so they scale, and a row's number does not depend on how many cores there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager

import torch

Task = Callable[[], None]


@contextmanager
def single_threaded_kernels() -> Iterator[int]:
    """Run kernels on the calling thread alone; gives the number of threads that were allowed before."""
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield allowed
    finally:
        torch.set_num_threads(allowed)


def run_tasks(tasks: Sequence[Task], workers: int) -> None:
    """Run every task, at most `workers` at once, in order of their start.

    Raises
    ------
    Exception
        The first that a task raised; tasks that had not begun are then left undone, those under way are finished.
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
    # Inference mode belongs to a thread, so each worker enters it for itself.
    with torch.inference_mode():
        task()
