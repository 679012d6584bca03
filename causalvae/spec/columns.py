"""The columns of tables: what they are called, and how to undo their scaling."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """The columns of a table whose rows are inputs.

    Parameters
    ----------
    names : tuple of str
        In the order of the inputs.
    offset, span : tuple of float
        Of each column: value in the table's own units = offset + span * input.
    """

    names: tuple[str, ...]
    offset: tuple[float, ...]
    span: tuple[float, ...]

    @classmethod
    def unscaled(cls, names: tuple[str, ...]) -> Columns:
        """Columns whose inputs are in their own units."""
        return cls(names, (0.0,) * len(names), (1.0,) * len(names))

    @property
    def is_scaled(self) -> bool:
        """Whether any column is not in its own units."""
        return any(self.offset) or any(span != 1 for span in self.span)
