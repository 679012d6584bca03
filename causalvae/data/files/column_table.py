"""Tables in files whose columns have names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from causalvae.data.factors import FloatArray
from causalvae.data.files.refusals import misshapen, no_such


@dataclass(frozen=True)
class ColumnTable(ABC):
    """A table whose entries are read on demand.

    Parameters
    ----------
    path : Path
    names : tuple of str
        Names of the columns in the order of the file.
    index : frozenset of str
        Columns with row labels, which are no data unless they are named.
    rows : int
    """

    path: Path
    names: tuple[str, ...]
    index: frozenset[str]
    rows: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns except the index."""
        return tuple(name for name in self.names if name not in self.index)

    def require(self, name: str, field: str) -> str:
        """Return `name`, given as `field` in the spec; CV234 if no column has it, CV231 if several have it."""
        if name not in self.names:
            raise no_such(name, self.names, field, self.path)
        if self.names.count(name) > 1:
            raise misshapen(
                self.path,
                "a table",
                "columns of different names",
                f"{name!r} {'twice' if self.names.count(name) == 2 else f'{self.names.count(name)} times'}",
                f"Rename all but one of them: {field} reads it.",
            )
        return name

    @abstractmethod
    def read_numbers(self, columns: Sequence[str]) -> Iterator[tuple[str, FloatArray]]:
        """Read columns of numbers, in the given order: name and float64 array, (rows,).

        Raises
        ------
        CausalVAEError
            CV235 for an entry that is missing or not a finite number.
        """
