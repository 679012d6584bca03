"""What a reader should know of a number, as a code and its values; `causalvae.report.notes` has the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

NoteValue: TypeAlias = str | int | float


@dataclass(frozen=True)
class Note:
    """A remark on one number.

    Parameters
    ----------
    code : str
        Which remark.
    values : tuple of str, int and float
        What it says in numbers and names.
    """

    code: str
    values: tuple[NoteValue, ...] = ()


Notes: TypeAlias = tuple[Note, ...]

HARDLY_MOVED = Note("hardly_moved")
OVERLAP = Note("overlap")
CANCELS = Note("cancels")
UNCLEAR = Note("unclear_mean")
SIZE_NOT_TESTED = Note("size_not_tested")
MEAN_CHANGE = Note("mean_change")
CONTRAST = Note("contrast")


def dropped(count: int) -> Notes:
    """How many pairs were omitted since the outcome is undefined there; nothing where none was."""
    return (Note("dropped", (count,)),) if count else ()
