"""Processes that tests start, kill and wait for."""

from __future__ import annotations

import os
from collections.abc import Callable


def fork(work: Callable[[], object]) -> int:
    """The number of a process that does `work` and ends; it exits with 1 where `work` raises."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return process


def wait(process: int) -> int:
    """A process's exit code; negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
