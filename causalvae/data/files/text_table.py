"""Tables in text files: column names, index columns, and entries as numbers or text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FloatArray
from causalvae.data.files.column_table import ColumnTable
from causalvae.data.files.refusals import absent, in_samples, misshapen
from causalvae.errors import CausalVAEError, first_line

_WHAT: Final = "a table"
_REMEDY: Final = "Give a text file whose first line names the columns; `separator` is the character between them."
_UTF8: Final = "Save the file as UTF-8; spreadsheets call this format CSV UTF-8."
_SEPARATORS: Final = (",", ";", "\t", "|", " ")
_CALLED: Final = {"\t": "tabs", " ": "blanks"}
_WRITTEN: Final = {"\t": '"\\t"'}
_LOOKED_AT: Final = 20
# Names that pandas gives to unnamed columns, and writes when the table is saved again.
_UNNAMED: Final = re.compile(r"Unnamed: \d+(\.\d+)*")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class TextTable(ColumnTable):
    """A checked table with a line of names.

    As in pandas, column k without a name is ``Unnamed: k``; the index are leading unnamed columns, which are row labels
    written by pandas or R.

    Parameters
    ----------
    path, names, index, rows
        As for `ColumnTable`.
    separator, decimal : str
        Separator of entries, and decimal separator.
    width : int
        Number of entries in a line, including trailing columns without name and entries.
    """

    separator: str
    decimal: str
    width: int

    def read_text(self, columns: Sequence[str]) -> dict[str, npt.NDArray[np.object_]]:
        """Read columns as stripped text: name -> array of str, (rows,)."""
        found = self._read(columns, dtype=str, na_filter=False)
        return {name: np.array([entry.strip() for entry in found[name]], dtype=object) for name in columns}

    def read_numbers(self, columns: Sequence[str]) -> Iterator[tuple[str, FloatArray]]:
        """Read columns of numbers, in the given order: name and float64 array, (rows,).

        Raises
        ------
        CausalVAEError
            CV235 for an entry that is missing or not a finite number.
        """
        found = self._read(columns, decimal=self.decimal, low_memory=False)
        for name in columns:
            yield name, self._numbers(name, found[name].to_numpy())

    def text_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold an entry which is no number, without the index and names that occur twice."""
        once = [name for name in self.columns if self.names.count(name) == 1]
        found = self._read(once, decimal=self.decimal, low_memory=False)
        return tuple(name for name in once if found[name].dtype.kind not in "biuf")

    def _read(self, columns: Sequence[str], **how: Any) -> Any:
        """Read columns with pandas, by name."""
        import pandas as pd

        at = {name: self.names.index(name) for name in columns}
        with _open(self.path) as file:
            _next_names(_reader(file, self.separator))
            # The line of names has been read. Pandas continues after it, with positions as names, since names in the
            # file may be missing or duplicate.
            try:
                table = pd.read_csv(
                    file,
                    sep=self.separator,
                    header=None,
                    names=list(range(self.width)),
                    usecols=sorted(set(at.values())),
                    index_col=False,
                    skipinitialspace=True,
                    on_bad_lines="error",
                    **how,
                )
            except (ValueError, OverflowError) as error:
                raise misshapen(self.path, _WHAT, "readable lines", first_line(error), _REMEDY) from error
        if len(table) != self.rows:
            raise misshapen(self.path, _WHAT, f"{self.rows} readable lines", f"{len(table)}", _REMEDY)
        return {name: table[position] for name, position in at.items()}

    def _numbers(self, name: str, column: npt.NDArray[Any]) -> FloatArray:
        import pandas as pd

        if column.dtype.kind in "biuf":
            values = column.astype(np.float64)
        else:
            # Integers of hundreds of digits are Python objects in pandas, which cannot be converted directly.
            entries = pd.Series(column) if column.dtype != object else pd.Series(column).astype(str)
            values = pd.to_numeric(entries, errors="coerce").to_numpy(np.float64)
        odd = np.flatnonzero(~np.isfinite(values))
        if len(odd):
            row = int(odd[0])
            entry = column[row]
            is_text = isinstance(entry, str)
            found = repr(entry.strip()[:30]) if is_text else "it is empty" if np.isnan(values[row]) else "not finite"
            remedy = "Fill in the entry, remove the sample, or choose the columns of inputs with data.inputs."
            if is_text and self.decimal == "." and _DECIMAL_COMMA.fullmatch(entry.strip()):
                remedy = "Write `decimal: ','` in data if the comma separates a number's decimals."
            raise CausalVAEError(
                "CV235",
                f"Column {name} is an input and holds no finite number {in_samples(odd)}: {found}.",
                remedy,
                str(self.path),
            )
        return values


def open_table(path: Path, separator: str, decimal: str = ".") -> TextTable:
    """Open a table and check all lines.

    Leading columns without names are index columns: pandas writes one, and another when the table is read and saved
    again. R's write.table omits the name of the index, so that each line has one entry more than there are names.
    Trailing columns with neither names nor entries are omitted.

    Raises
    ------
    CausalVAEError
        CV230 if there is no such file, CV231 if it is not a table with this separator.
    """
    if not path.is_file():
        raise absent(path, _WHAT, _REMEDY)
    header: list[str] = []
    try:
        with _open(path) as file:
            reader = _reader(file, separator)
            header = _next_names(reader)
            width, filled, rows = _survey(reader, len(header))
    except UnicodeDecodeError as error:
        raise misshapen(path, _WHAT, "text in UTF-8", first_line(error), _UTF8) from error
    except (csv.Error, _WidthError) as error:
        _refuse_separator(path, separator, len(header))
        raise misshapen(path, _WHAT, *_said(error), _REMEDY) from error
    if len(header) < 2:
        _refuse_separator(path, separator, len(header))
    if not header:
        raise misshapen(path, _WHAT, "a first line with names", "nothing", _REMEDY)
    if not rows:
        raise misshapen(path, _WHAT, "at least one line below the names", "none", _REMEDY)
    if width > len(header):
        header = ["", *header] if filled[-1] else [*header, ""]
    while not header[-1] and not filled[len(header) - 1]:
        header.pop()
        if not header:
            raise misshapen(path, _WHAT, "a first line with names", "no name", _REMEDY)
    names = tuple(name or f"Unnamed: {position}" for position, name in enumerate(header))
    leading = next((k for k, name in enumerate(names) if not _UNNAMED.fullmatch(name)), 0)
    return TextTable(path, names, frozenset(names[:leading]), rows, separator, decimal, width)


class _WidthError(Exception):
    """A line has another number of entries than the first."""

    def __init__(self, width: int, found: int, line: int) -> None:
        super().__init__(width, found, line)
        self.width, self.found, self.line = width, found, line


def _said(error: csv.Error | _WidthError) -> tuple[str, str]:
    if isinstance(error, _WidthError):
        return f"{error.width} entries a line, as many as names", f"{error.found} in line {error.line}"
    return "readable lines", first_line(error)


def _open(path: Path) -> IO[str]:
    return path.open(newline="", encoding="utf-8-sig")


def _reader(file: Iterable[str], separator: str) -> Any:
    return csv.reader(file, delimiter=separator, skipinitialspace=True)


def _lines(reader: Iterable[list[str]]) -> Iterator[list[str]]:
    """The non-empty lines; pandas skips empty ones too."""
    return (line for line in reader if line and line != [""])


def _next_names(reader: Iterable[list[str]]) -> list[str]:
    return [name.strip() for name in next(_lines(reader), [])]


def _survey(reader: Any, names: int) -> tuple[int, npt.NDArray[np.bool_], int]:
    """Number of entries per line, mask of columns with any entry, and number of lines.

    All lines must have as many entries as there are names, or all one more.
    """
    width, rows = names, 0
    filled: set[int] = set()
    for line in _lines(reader):
        if not rows and len(line) == names + 1:
            width = len(line)
        if len(line) != width:
            raise _WidthError(names, len(line), reader.line_num)
        rows += 1
        if len(filled) < width:
            filled.update(k for k, entry in enumerate(line) if entry and not entry.isspace())
    return width, np.array([k in filled for k in range(width)]), rows


def _refuse_separator(path: Path, separator: str, names: int) -> None:
    """Raise CV231 if the first lines are a table with another separator."""
    for other in _SEPARATORS:
        if other == separator or (other == " " and names > 1):
            continue
        try:
            with _open(path) as file:
                lines = list(islice(_lines(_reader(file, other)), _LOOKED_AT))
        except (UnicodeDecodeError, csv.Error):
            continue
        widths = Counter(map(len, lines[1:]))
        if len(lines) < 2 or len(widths) > 1 or len(lines[0]) < 2 or len(lines[1]) - len(lines[0]) not in (0, 1):
            continue
        comma = other != "," and any(_DECIMAL_COMMA.fullmatch(entry.strip()) for line in lines[1:] for entry in line)
        advice = f"separator: {_WRITTEN.get(other, repr(other))}" + ("` and `decimal: ','" if comma else "")
        raise misshapen(
            path,
            "a table with this separator",
            f"entries between {separator!r}",
            f"entries between {_CALLED.get(other, repr(other))}",
            f"Write `{advice}` in data.",
        )
