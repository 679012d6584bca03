"""A clock for the work of one thread, independent of other work on the machine."""

from __future__ import annotations

import time

import torch


def busy_seconds(device: torch.device) -> float:
    """CPU time of this thread in seconds, or wall time after the GPU has finished all submitted work.

    Parameters
    ----------
    device : torch.device
        Device of the work.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.thread_time()
