"""How many rows are run at once, and what happens where memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from causalvae.engine.values import MIN_ROWS
from causalvae.errors import CausalVAEError

T = TypeVar("T")


@dataclass
class BatchSize:
    """Rows that are run at once: halved, and kept halved, each time that memory runs out.

    Parameters
    ----------
    rows : int
    shrunk : list of int
        The sizes that did not fit.
    """

    rows: int
    shrunk: list[int] = field(default_factory=list)

    def attempt(self, run: Callable[[], T]) -> T | None:
        """The result of `run`; None where it ran out of memory and the size has been halved.

        Raises
        ------
        CausalVAEError
            CV408 where not even the smallest batch fits.
        """
        try:
            return run()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if self.rows <= MIN_ROWS:
                raise CausalVAEError(
                    "CV408",
                    f"a batch of {self.rows} rows does not fit into memory.",
                    "Close other programs, or choose a machine or device with more memory.",
                    "execution",
                ) from error
        self.shrunk.append(self.rows)
        self.rows = max(MIN_ROWS, self.rows // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: on a GPU, or in the allocator of a CPU."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
