"""Names and scaling of the columns of a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Columns:
    """Names and scaling of the columns of a table whose rows are inputs.

    Parameters
    ----------
    names : tuple of str
        In the order of the inputs.
    offset, span : tuple of float
        For each column: value in the table's units = offset + span * input.
    """

    names: tuple[str, ...]
    offset: tuple[float, ...]
    span: tuple[float, ...]

    @classmethod
    def unscaled(cls, names: tuple[str, ...]) -> Columns:
        """Columns without scaling."""
        return cls(names, (0.0,) * len(names), (1.0,) * len(names))

    @property
    def is_scaled(self) -> bool:
        """Whether any column is scaled."""
        return any(self.offset) or any(span != 1 for span in self.span)
