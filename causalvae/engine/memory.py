"""Batch sizes that shrink when memory runs out, and free memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from causalvae.boundary import is_out_of_memory
from causalvae.engine.values import MIN_ROWS
from causalvae.errors import MemoryRanOutError

T = TypeVar("T")


@dataclass
class BatchSize:
    """Number of rows run together, halved permanently each time memory runs out.

    Parameters
    ----------
    rows : int
    shrunk : list of int
        The sizes that did not fit.
    """

    rows: int
    shrunk: list[int] = field(default_factory=list)

    def attempt(self, run: Callable[[], T]) -> T | None:
        """The result of `run`; None if it ran out of memory, and the size was halved.

        Raises
        ------
        CausalVAEError
            CV408 if the smallest batch does not fit.
        """
        try:
            return run()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if self.rows <= MIN_ROWS:
                raise MemoryRanOutError(
                    "CV408",
                    f"a batch of {self.rows} rows does not fit into memory.",
                    "Close other programs, or choose a machine or device with more memory.",
                    "execution",
                ) from error
        self.shrunk.append(self.rows)
        self.rows = max(MIN_ROWS, self.rows // 2 // MIN_ROWS * MIN_ROWS)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None


def settle_allocator(device: torch.device) -> None:
    """Make the allocator keep memory that is freed, so that operations need not ask the system for it again.

    glibc returns memory to the system after each operation until a large value was freed once. Batches took up to twice
    as long in that state.
    """
    if device.type == "cpu":
        # Never written to, so that it takes no memory.
        bytearray(_SETTLING_BYTES)


# The largest value whose release changes how glibc's allocator treats all later ones.
_SETTLING_BYTES = 31 * 2**20


def free_memory(device: torch.device) -> float:
    """Free memory in bytes of a GPU, or of this machine within the limit of a container."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    known = [size for size in (_free_of_machine(), _free_of_container()) if size is not None]
    return min(known, default=_UNKNOWN)


# If the system does not report it.
_UNKNOWN = 4.0 * 2**30
_MEMINFO = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def _free_of_machine() -> float | None:
    if _MEMINFO.exists():
        for line in _MEMINFO.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) / 2
    except (AttributeError, ValueError, OSError):
        return None


def _free_of_container() -> float | None:
    """Free memory of the control group of this process; None if it has no limit."""
    try:
        limit = (_CONTAINER / "memory.max").read_text(encoding="ascii").strip()
        used = (_CONTAINER / "memory.current").read_text(encoding="ascii").strip()
        return max(0.0, float(limit) - float(used)) if limit != "max" else None
    except (OSError, ValueError):
        return None
