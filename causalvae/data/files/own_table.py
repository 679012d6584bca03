"""Own tables: one row per sample, columns of inputs selected by name or pattern, and columns of factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FloatArray, IntArray
from causalvae.data.files.column_table import ColumnTable
from causalvae.data.files.labelled import Samples
from causalvae.data.files.own_factors import Told, open_own, read_text
from causalvae.data.files.refusals import in_samples, no_such
from causalvae.data.files.text_table import open_table
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns
from causalvae.spec.file_section import OwnTable

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.data.kinds.csv import CsvData


class TableInputs:
    """Rows of a table as inputs.

    Parameters
    ----------
    rows : float32 array, shape (n, columns)
    columns : Columns
        Names and scaling of the columns.
    """

    def __init__(self, rows: npt.NDArray[np.float32], columns: Columns) -> None:
        self._rows, self.columns = rows, columns

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Number of columns."""
        return (self._rows.shape[1],)

    def read(self, numbers: IntArray) -> Tensor:
        """Rows with these numbers, float32, (n, columns)."""
        import torch

        return torch.from_numpy(self._rows[numbers])


def open_csv(section: CsvData, path: Path) -> Samples:
    """Open an own table; its columns of inputs are kept in memory as float32.

    Raises
    ------
    CausalVAEError
        CV230 if there is no file, CV231 if it is not a table, CV234 for missing columns, CV235 for entries that are
        missing or not finite numbers, CV236 for factors of another kind than declared.
    """
    table = open_table(path, section.separator, section.decimal)

    def read_factors(columns: Mapping[str, str]) -> dict[str, Told]:
        texts = table.read_text(list(columns.values())) if columns else {}
        return {
            factor: read_text(factor, texts[column], section.factors[factor].kind, section.decimal, path)
            for factor, column in columns.items()
        }

    return open_columns(section, table, read_factors)


def open_columns(
    section: OwnTable, table: ColumnTable, read_factors: Callable[[Mapping[str, str]], Mapping[str, Told]]
) -> Samples:
    """Read the columns of inputs and factors of a table.

    Parameters
    ----------
    section : OwnTable
    table : ColumnTable
    read_factors : callable
        From factor -> column to factor -> content of the column.
    """
    path = table.path
    wanted = {factor: table.require(section.column_of(factor), f"data.factors.{factor}") for factor in section.factors}
    chosen = _choose(section.inputs, table, set(wanted.values()))
    inputs = np.empty((table.rows, len(chosen)), dtype=np.float32)
    scaling = []
    for position, (name, values) in enumerate(table.read_numbers(chosen)):
        low, span = _scale_of(section, values)
        inputs[:, position] = _single(values, low, span, name, path)
        scaling.append((low, span))
    source = TableInputs(inputs, Columns(tuple(chosen), *map(tuple, zip(*scaling, strict=True))))
    facts = {"origin": "the user's table", "file": path.name, "columns": len(chosen), "scale": _say(section)}
    if table.index:
        facts["index"] = f"{', '.join(sorted(table.index))}: not an input"
    return open_own(section.kind, read_factors(wanted), section.factors, source, table.rows, facts, path)


def _choose(patterns: Sequence[str], table: ColumnTable, factors: set[str]) -> list[str]:
    """Columns of inputs without duplicates, in the order of patterns and of the file; patterns exclude the index."""
    chosen: dict[str, None] = {}
    for pattern in patterns:
        is_pattern = any(sign in pattern for sign in "*?[") and pattern not in table.names
        if not is_pattern:
            chosen[table.require(pattern, "data.inputs")] = None
            continue
        found = [name for name in table.columns if fnmatchcase(name, pattern) and name not in factors]
        if not found:
            raise no_such(pattern, table.columns, "data.inputs", table.path)
        chosen |= dict.fromkeys(table.require(name, "data.inputs") for name in found)
    return list(chosen)


def _scale_of(section: OwnTable, values: FloatArray) -> tuple[float, float]:
    """Offset and span of a column: inputs are (value - offset) / span."""
    if section.scale == "none":
        return 0.0, 1.0
    if isinstance(section.scale, tuple):
        low, high = section.scale
        return low, high - low
    low, high = float(values.min()), float(values.max())
    # A constant column becomes 0.
    return low, (high - low) or 1.0


def _single(values: FloatArray, low: float, span: float, name: str, path: Path) -> npt.NDArray[np.float32]:
    """Scaled values in single precision, (n,); CV235 if one is too large."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = ((values - low) / span).astype(np.float32)
    odd = np.flatnonzero(~(np.isfinite(single) & np.isfinite(span)))
    if len(odd):
        raise CausalVAEError(
            "CV235",
            f"Column {name} is too large for single precision {in_samples(odd)}.",
            "Divide the column by a power of ten, or remove the sample.",
            str(path),
        )
    return single


def _say(section: OwnTable) -> str:
    return f"{list(section.scale)}" if isinstance(section.scale, tuple) else section.scale
