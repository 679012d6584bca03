"""What a thread's work takes, told apart from what others do on the same machine."""

from __future__ import annotations

import time

import torch


def busy_seconds(device: torch.device) -> float:
    """A clock to take differences of: this thread's CPU time, or a GPU's time once all that it was given is done.

    Parameters
    ----------
    device : torch.device
        Where the work is done.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.thread_time()
