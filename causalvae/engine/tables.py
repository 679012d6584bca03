"""Outcome tables by arm, in memory or read on demand from the files of a run.

Both have the same interface.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from causalvae.boundary import boundary
from causalvae.errors import CausalVAEError
from causalvae.files import DamagedFileError, read_sealed

IntArray = npt.NDArray[np.int64]

# Patterns of the tables in the folder of a run.
TABLE_PATTERNS = ("*.parquet", "outcomes/*.parquet", "observations/*.parquet", "responses/*.parquet")
# Rows of a row group, the smallest part of a file that is read.
GROUP_ROWS = 8192
# Maximum number of values in the cache: 32 MiB of float64.
HELD_VALUES = 4 * 1024 * 1024


class OutcomeTable(Protocol):
    """Outcome rows by arm; see `causalvae.engine.measurements` for the columns."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Ids of the arms that were measured, in order of first appearance."""

    def pairs(self, arm: str) -> int:
        """Number of rows of one arm; raises `KeyError` if it was not measured."""

    def block(self, arms: Sequence[str], column: str, pairs: int) -> npt.NDArray[Any]:
        """One column of the first `pairs` pairs of several arms, (arms, pairs)."""

    def frame(self, arm: str) -> pd.DataFrame:
        """All columns of one arm, in pair order."""

    def read_all(self) -> pd.DataFrame:
        """All rows of all arms."""

    def find_fault(self) -> str | None:
        """The first arm whose rows are not exactly the pairs 0, 1, 2, ...; None if there is none."""


class MemoryTable:
    """An outcome table that is in memory, its rows in any order.

    Parameters
    ----------
    frame : DataFrame
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        codes, arms = pd.factorize(frame["arm"])
        pairs = frame["pair"].to_numpy(np.int64)
        self._frame = frame
        self._order = np.lexsort((pairs, codes))
        self._pairs = pairs[self._order]
        self._counts = np.bincount(codes, minlength=len(arms))
        self._starts = np.cumsum(self._counts) - self._counts
        self._position = {str(arm): code for code, arm in enumerate(arms)}
        self._columns: dict[str, npt.NDArray[Any]] = {}

    @property
    def arms(self) -> tuple[str, ...]:
        """Ids of the arms that were measured, in order of first appearance."""
        return tuple(self._position)

    def pairs(self, arm: str) -> int:
        """Number of rows of one arm; raises `KeyError` if it was not measured."""
        return int(self._counts[self._position[arm]])

    def block(self, arms: Sequence[str], column: str, pairs: int) -> npt.NDArray[Any]:
        """One column of the first `pairs` pairs of several arms, (arms, pairs)."""
        if column not in self._columns:
            self._columns[column] = self._frame[column].to_numpy()[self._order]
        starts = self._starts[[self._position[arm] for arm in arms]]
        values: npt.NDArray[Any] = self._columns[column][starts[:, None] + np.arange(pairs)]
        return values

    def frame(self, arm: str) -> pd.DataFrame:
        """All columns of one arm, in pair order."""
        code = self._position[arm]
        start = self._starts[code]
        return self._frame.iloc[self._order[start : start + self._counts[code]]]

    def read_all(self) -> pd.DataFrame:
        """All rows of all arms."""
        return self._frame

    def find_fault(self) -> str | None:
        """The first arm whose rows are not exactly the pairs 0, 1, 2, ...; None if there is none."""
        expected = np.arange(len(self._pairs)) - np.repeat(self._starts, self._counts)
        wrong = np.flatnonzero(self._pairs != expected)
        if not len(wrong):
            return None
        return self.arms[int(np.searchsorted(self._starts, wrong[0], side="right")) - 1]


@dataclass(frozen=True)
class _Runs:
    """Positions of the arms in one file; the rows of an arm are contiguous, in pair order.

    Parameters
    ----------
    path : Path
    metadata : FileMetaData
        The footer of the file.
    codes : int array, shape (runs,)
        Index of the arm in the whole table.
    starts, counts, first : int array, shape (runs,)
        First row in the file, number of rows, and pair of the first row.
    live : int array, shape (runs,)
        Number of rows that were run, not copied from the clean run.
    """

    path: Path
    metadata: pq.FileMetaData
    codes: IntArray
    starts: IntArray
    counts: IntArray
    first: IntArray
    live: IntArray


class FileTable:
    """The outcome tables of a run, one file per shard, with few rows in memory at any time.

    The columns ``arm``, ``pair`` and ``live`` of each file are read once to find the positions of arms. After that,
    only row groups with a requested arm are read; the most recent are cached.

    Parameters
    ----------
    paths : iterable of Path
        The files of the shards, in the order of their pairs.
    held : int, optional
        Maximum number of values in the cache.

    Raises
    ------
    CausalVAEError
        CV406 if a file cannot be read or is not an outcome table.
    """

    def __init__(self, paths: Iterable[Path], held: int = HELD_VALUES) -> None:
        self._codes: dict[str, int] = {}
        self._files = tuple(self._index(path) for path in paths)
        self.held = Held(held)
        size = len(self._codes)
        self._counts = sum((_spread(file.codes, file.counts, size) for file in self._files), np.zeros(size, np.int64))
        self._live = sum((_spread(file.codes, file.live, size) for file in self._files), np.zeros(size, np.int64))

    def _index(self, path: Path) -> _Runs:
        with _reading(path), pq.ParquetFile(open_verified(path), read_dictionary=["arm"]) as file:
            found = file.read(["arm", "pair", "live"]).combine_chunks()
            metadata = file.metadata
        arms = found["arm"].chunk(0) if len(found) else pa.array([], pa.string()).dictionary_encode()
        names = arms.dictionary.to_pylist()
        rows = arms.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        pairs = found["pair"].to_numpy().astype(np.int64)
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        counts = np.diff(starts, append=len(rows))
        inside = np.arange(len(rows)) - np.repeat(starts, counts)
        if len(np.unique(rows[starts])) < len(starts) or (pairs != np.repeat(pairs[starts], counts) + inside).any():
            raise unreadable(path, "an arm's rows do not lie together in pair order")
        live = np.add.reduceat(found["live"].to_numpy(zero_copy_only=False).astype(np.int64), starts)
        codes = np.array([self._codes.setdefault(names[row], len(self._codes)) for row in rows[starts]], np.int64)
        return _Runs(path, metadata, codes, starts, counts, pairs[starts], live if len(starts) else starts)

    @property
    def arms(self) -> tuple[str, ...]:
        """Ids of the arms that were measured, in order of first appearance."""
        return tuple(self._codes)

    def pairs(self, arm: str) -> int:
        """Number of rows of one arm; raises `KeyError` if it was not measured."""
        return int(self._counts[self._codes[arm]])

    def live(self, arm: str) -> int:
        """Number of rows of one arm that were run, not copied from the clean run."""
        return int(self._live[self._codes[arm]])

    def block(self, arms: Sequence[str], column: str, pairs: int) -> npt.NDArray[Any]:
        """One column of the first `pairs` pairs of several arms, (arms, pairs)."""
        wanted = np.array([self._codes[arm] for arm in arms], np.int64)
        block: npt.NDArray[Any] | None = None
        for file in self._files:
            run_of = np.full(len(self._codes), -1)
            run_of[file.codes] = np.arange(len(file.codes))
            runs = run_of[wanted]
            present = np.flatnonzero(runs >= 0)
            present = present[file.first[runs[present]] < pairs]
            if not len(present):
                continue
            runs = runs[present]
            counts = np.minimum(file.counts[runs], pairs - file.first[runs])
            inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            values = self._rows(file, column, np.repeat(file.starts[runs], counts) + inside)
            if block is None:
                block = np.zeros((len(arms), pairs), values.dtype)
            block[np.repeat(present, counts), np.repeat(file.first[runs], counts) + inside] = values
        return np.zeros((len(arms), pairs)) if block is None else block

    def _rows(self, file: _Runs, column: str, rows: IntArray) -> npt.NDArray[Any]:
        """One column of some rows of a file, (rows,)."""
        size = file.metadata.row_group(0).num_rows
        groups = rows // size
        order = np.argsort(groups, kind="stable")
        found: npt.NDArray[Any] | None = None
        for group in np.unique(groups):
            values = self.held.get(file, int(group), column)
            chosen = order[np.searchsorted(groups[order], group) : np.searchsorted(groups[order], group, "right")]
            if found is None:
                found = np.empty(len(rows), values.dtype)
            found[chosen] = values[rows[chosen] - group * size]
        return np.empty(0) if found is None else found

    def frame(self, arm: str) -> pd.DataFrame:
        """All columns of one arm, in pair order."""
        pairs = self.pairs(arm)
        names = self._files[0].metadata.schema.names if self._files else []
        columns: dict[str, Any] = {
            name: np.repeat(np.asarray([arm], dtype=object), pairs)
            if name == "arm"
            else self.block((arm,), name, pairs)[0]
            for name in names
        }
        return pd.DataFrame(columns)

    def read_all(self) -> pd.DataFrame:
        """All rows of all arms."""
        tables = []
        for file in self._files:
            with _reading(file.path):
                tables.append(pq.ParquetFile(open_verified(file.path), read_dictionary=["arm"]).read())
        frame: pd.DataFrame = pa.concat_tables(tables).unify_dictionaries().to_pandas()
        return frame

    def find_fault(self) -> str | None:
        """The first arm whose rows are not exactly the pairs 0, 1, 2, ...; None if there is none."""
        reached = np.zeros(len(self._codes), np.int64)
        wrong: list[int] = []
        for file in self._files:
            wrong += file.codes[file.first != reached[file.codes]].tolist()
            reached[file.codes] = file.first + file.counts
        return self.arms[min(wrong)] if wrong else None


class Held:
    """Least-recently-used cache of columns of row groups."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[tuple[Path, int, str], npt.NDArray[Any]] = OrderedDict()
        self._size = 0
        # Analyses may read from several threads.
        self._lock = threading.Lock()

    def values(self) -> list[npt.NDArray[Any]]:
        """The cached columns."""
        return list(self._values.values())

    def get(self, file: _Runs, group: int, column: str) -> npt.NDArray[Any]:
        """One column of one row group."""
        key = (file.path, group, column)
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            values = read_group(file.path, file.metadata, group, column)
            self._values[key] = values
            self._size += len(values)
            while self._size > self._limit and len(self._values) > 1:
                _, oldest = self._values.popitem(last=False)
                self._size -= len(oldest)
            return values


def read_group(path: Path, metadata: pq.FileMetaData, group: int, column: str) -> npt.NDArray[Any]:
    """One column of one row group of a file.

    Raises
    ------
    CausalVAEError
        CV406 if the file cannot be read.
    KeyError
        If there is no such column.
    """
    if column not in metadata.schema.names:
        raise KeyError(column)
    with _reading(path), pq.ParquetFile(path, metadata=metadata, page_checksum_verification=True) as file:
        values: npt.NDArray[Any] = file.read_row_group(group, [column])[column].to_numpy()
        return values


def read_table(path: Path) -> pd.DataFrame:
    """Read a whole table written by `causalvae.engine.measurements.write_table`.

    Raises
    ------
    CausalVAEError
        CV406 if the file is damaged or cannot be read.
    """
    with _reading(path):
        frame: pd.DataFrame = pq.ParquetFile(open_verified(path)).read().to_pandas()
        return frame


def open_verified(path: Path) -> pa.BufferReader:
    """The content of a file after verifying its checksum.

    Raises
    ------
    CausalVAEError
        CV406 if the file is damaged.
    """
    try:
        return pa.BufferReader(read_sealed(path))
    except DamagedFileError as error:
        raise unreadable(path, error.reason) from error


def _reading(path: Path) -> AbstractContextManager[None]:
    return boundary("CV406", f"the table {path} cannot be read", _REMEDY, str(path))


_REMEDY = "Delete that file and run again: only what it holds is measured again."


def _spread(codes: IntArray, values: IntArray, size: int) -> IntArray:
    spread = np.zeros(size, np.int64)
    spread[codes] = values
    return spread


def unreadable(path: Path, reason: str) -> CausalVAEError:
    """The error of a table that cannot be read for `reason`."""
    return CausalVAEError("CV406", f"the table {path} cannot be read ({reason}).", _REMEDY, str(path))
