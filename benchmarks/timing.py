"""CPU time of one call, on one thread."""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Kernels on the calling thread alone."""
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    # What is loaded by now stays; collections between timed calls need not look at it again.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        torch.set_num_threads(allowed)


def time_call(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of `call`, and what it gave."""
    # The young generations only: all of torch and pandas takes longer to look through than many a timed call.
    gc.collect(1)
    began = time.process_time()
    result = call()
    return time.process_time() - began, result


def best_of(call: Callable[[], Any], at_least: float = 0.02, repeats: int = 3) -> float:
    """The least CPU seconds of `call` over `repeats` series of at least `at_least` seconds each."""
    call()
    best = float("inf")
    for _ in range(repeats):
        count, began = 0, time.process_time()
        spent = 0.0
        while spent < at_least:
            call()
            count += 1
            spent = time.process_time() - began
        best = min(best, spent / count)
    return best


def describe_machine() -> dict[str, Any]:
    """What the figures depend on in addition to the code."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = [line for line in information.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
