"""What happens to the other variables of a sample when one of them is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Release:
    """Compute the named variables again from their own noise, and hold all others.

    With all declared factors but B held, ``do(A)`` with ``Release((B,))`` shows the direct effect of A on B.

    Parameters
    ----------
    names : tuple of str
        Those that the set variable does not reach keep their values.
    """

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"hold, release {', '.join(self.names)}"


Others = Literal["hold", "propagate"] | Release


def recomputed(others: Others, descendants: Sequence[str]) -> tuple[str, ...]:
    """The descendants of the set variable that are computed again, in the order of `descendants`."""
    if isinstance(others, Release):
        return tuple(name for name in descendants if name in others.names)
    return tuple(descendants) if others == "propagate" else ()
