"""Treatment of the other variables of a sample if one is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Release:
    """Recompute the named variables with the same noise, and hold all others.

    With all other factors held, ``do(A)`` with ``Release((B,))`` gives the direct effect of A on B.

    Parameters
    ----------
    names : tuple of str
        Names of variables; those that are not descendants of the set variable are unchanged.
    """

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"hold, release {', '.join(self.names)}"


Others = Literal["hold", "propagate"] | Release


def recomputed(others: Others, descendants: Sequence[str]) -> tuple[str, ...]:
    """The descendants of the set variable that are recomputed, in the order of `descendants`."""
    if isinstance(others, Release):
        return tuple(name for name in descendants if name in others.names)
    return tuple(descendants) if others == "propagate" else ()
