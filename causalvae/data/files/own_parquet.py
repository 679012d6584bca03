"""Own tables in Parquet files: numbers and text have the types that the file gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from causalvae.boundary import is_of_system
from causalvae.data.factors import FloatArray
from causalvae.data.files.column_table import ColumnTable
from causalvae.data.files.labelled import Samples
from causalvae.data.files.own_factors import Told, read_array
from causalvae.data.files.own_table import open_columns
from causalvae.data.files.refusals import absent, in_samples, misshapen
from causalvae.errors import CausalVAEError, first_line

if TYPE_CHECKING:
    from causalvae.data.kinds.parquet import ParquetData

_WHAT: Final = "a Parquet table"
_REMEDY: Final = "Give data.path a Parquet file with one sample per row and at least one row."


class ParquetTable(ColumnTable):
    """A Parquet file. Its index is what pandas wrote as the index of a table."""

    def read_numbers(self, columns: Sequence[str]) -> Iterator[tuple[str, FloatArray]]:
        """Read columns of numbers; see `ColumnTable.read_numbers`."""
        for name in columns:
            column = self.read(name)
            if column.dtype.kind not in "biuf":
                what = f"text or other content ({column.dtype})"
                raise CausalVAEError(
                    "CV235",
                    f"Column {name} is an input and holds {what}.",
                    "Choose the columns of inputs with data.inputs.",
                    str(self.path),
                )
            values = column.astype(np.float64)
            odd = np.flatnonzero(~np.isfinite(values))
            if len(odd):
                raise CausalVAEError(
                    "CV235",
                    f"Column {name} is an input and holds no finite number {in_samples(odd)}.",
                    "Fill in the entry, remove the sample, or choose the columns of inputs with data.inputs.",
                    str(self.path),
                )
            yield name, values

    def read(self, name: str) -> npt.NDArray[Any]:
        """Read a column: numbers (nan where missing), text ("" where missing), or objects of other types."""
        import pyarrow as pa
        import pyarrow.types as kinds

        column = _read(self.path, lambda file: file.read(columns=[name]).column(0))
        if kinds.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if kinds.is_string(column.type) or kinds.is_large_string(column.type):
            return np.array(column.fill_null("").to_pylist(), dtype=np.str_)
        if kinds.is_decimal(column.type):
            column = column.cast(pa.float64())
        found: npt.NDArray[Any] = column.to_numpy()
        return found


def open_parquet(section: ParquetData, path: Path) -> Samples:
    """Open an own Parquet table; its columns of inputs are kept in memory as float32.

    Raises
    ------
    CausalVAEError
        CV230 if there is no file, CV231 if it is not a Parquet file with rows, CV234 for missing columns, CV235 for
        entries that are missing or not finite numbers, CV236 for factors of another kind than declared.
    """
    if not path.is_file():
        raise absent(path, _WHAT, _REMEDY)
    rows, names, metadata = _read(
        path, lambda file: (file.metadata.num_rows, tuple(file.schema_arrow.names), file.schema_arrow.metadata)
    )
    if not rows or not names:
        raise misshapen(path, _WHAT, "at least one row and one column", f"{rows} and {len(names)}", _REMEDY)
    table = ParquetTable(path, names, _index(metadata or {}), rows)

    def read_factors(columns: Mapping[str, str]) -> dict[str, Told]:
        return {factor: read_array(factor, table.read(column), path) for factor, column in columns.items()}

    return open_columns(section, table, read_factors)


def text_columns(path: Path) -> tuple[str, ...]:
    """Names of the columns whose type is text or categories, without the index."""
    import pyarrow.types as kinds

    schema = _read(path, lambda file: file.schema_arrow)
    index = _index(schema.metadata or {})
    is_text = (kinds.is_string, kinds.is_large_string, kinds.is_dictionary)
    return tuple(field.name for field in schema if field.name not in index and any(of(field.type) for of in is_text))


def _index(metadata: Mapping[bytes, bytes]) -> frozenset[str]:
    """The columns that pandas wrote as the index; a range, which it writes as numbers alone, is no column."""
    try:
        listed = json.loads(metadata.get(b"pandas", b"{}")).get("index_columns", [])
        return frozenset(name for name in listed if isinstance(name, str))
    except (ValueError, AttributeError, TypeError):
        return frozenset()


def _read(path: Path, what: Any) -> Any:
    """What a function reads of an opened file; CV231 if the file is damaged or of another format."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return what(file)
    except Exception as error:
        if is_of_system(error):
            raise
        raise misshapen(path, _WHAT, "a whole Parquet file", first_line(error), _REMEDY) from error
