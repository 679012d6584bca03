"""Pickling of data sets by reopening their files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Reopened:
    """Base class of data sets that are pickled by their source, so that memory-mapped data are not copied.

    Attributes
    ----------
    reopened_by : (callable, arguments) or None
        A function that opens the data set, and its arguments; None to pickle the content.
    """

    reopened_by: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    def __reduce__(self) -> str | tuple[Any, ...]:
        return super().__reduce__() if self.reopened_by is None else self.reopened_by
