"""Data sets whose files are opened anew in another process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Reopened:
    """What is mapped from disk would be copied as a whole where it is pickled; its source is pickled in its place.

    Attributes
    ----------
    reopened_by : (callable, arguments) or None
        What gives the data set again; None pickles it as it is.
    """

    reopened_by: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    def __reduce__(self) -> str | tuple[Any, ...]:
        return super().__reduce__() if self.reopened_by is None else self.reopened_by
