"""The factors of the user's own data: their kinds and levels, and whether their combinations make a full grid."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import Factor, FactorKind, FactorSpace, FloatArray, IntArray
from causalvae.data.files.labelled import (
    GridSamples,
    Inputs,
    ObservedSamples,
    Samples,
    rank_levels,
    rows_of_grid,
)
from causalvae.errors import CausalVAEError
from causalvae.spec.file_section import FactorColumn

# What pandas reads as missing, but for the empty entry.
_MISSING: Final = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|Inf|infinity|Infinity)", re.ASCII)
_LEADING_ZERO: Final = re.compile(r"[+-]?0\d.*")

# Whole numbers of more different values than this count as continuous, unless they are declared to be levels.
_MANY_LEVELS: Final = 50
_MOST_LEVELS: Final = 10_000


@dataclass(frozen=True)
class Told:
    """What one column tells: the samples' values, shape (n,), and the levels, where there are any.

    `levels` says which level each sample has, shape (n,), and `known` the value of each level; `labels` names them
    where the column is text.
    """

    values: FloatArray
    known: FloatArray
    levels: IntArray
    labels: tuple[str, ...]


def open_own(
    name: str,
    columns: Mapping[str, Told],
    sections: Mapping[str, FactorColumn],
    source: Inputs,
    rows: int,
    facts: Mapping[str, Any],
    path: Path,
) -> Samples:
    """The user's samples with their factors: a grid where each combination of levels is there once.

    Parameters
    ----------
    name : str
        The source's.
    columns : mapping
        Factor -> what its column tells; see `read_text` and `read_array`.
    sections : mapping
        Factor -> what the spec says of it.
    source : Inputs
    rows : int
        Number of samples.
    facts : mapping
    path : Path
        The file, for a refusal.

    Raises
    ------
    CausalVAEError
        CV236 for a column that is not of the kind declared.
    """
    if not columns:
        return ObservedSamples(name, FactorSpace(()), source, facts, np.empty((rows, 0)))
    told = columns
    kinds = {factor: _kind_of(factor, sections[factor].kind, column, path) for factor, column in told.items()}
    has_levels = all(section.kind != "continuous" for section in sections.values())
    sizes = tuple(len(column.known) for column in told.values())
    levels = np.stack([column.levels for column in told.values()], axis=1)
    row_of = rows_of_grid(sizes, levels) if has_levels else None
    factors = tuple(
        _factor(
            factor, kinds[factor] or ("continuous" if row_of is None else "ordinal"), column, sections[factor], row_of
        )
        for factor, column in told.items()
    )
    space = FactorSpace(factors)
    facts = {**facts, "grid": "complete" if row_of is not None else "incomplete: factors cannot be set"}
    if row_of is not None:
        return GridSamples(name, space, source, facts, row_of)
    return ObservedSamples(name, space, source, facts, np.stack([column.values for column in told.values()], axis=1))


def read_text(factor: str, texts: npt.NDArray[np.object_], kind: FactorKind | None, decimal: str, path: Path) -> Told:
    """What a column of a text file tells: numbers where all of its entries are numbers, else text as it is written.

    Parameters
    ----------
    factor : str
    texts : array of str, shape (n,)
    kind : str or None
        As the spec declares it. A categorical factor is text whatever it holds; where the kind is left out, so are
        numbers with leading zeros (``01``), which are codes, and whole numbers of which one is written in two ways
        (``1`` and ``1.0``).
    decimal : str
        What stands between a number's whole part and its decimals.
    path : Path

    Raises
    ------
    CausalVAEError
        CV235 for an entry that is empty, or that is missing or infinite among numbers.
    """
    # Sorting text as objects compares str with str: the order is by code points, whatever the locale.
    labels, levels = np.unique(texts, return_inverse=True)
    levels = levels.reshape(-1).astype(np.int64)
    if labels[0] == "":
        raise _unusable(factor, int(np.flatnonzero(levels == 0)[0]), "empty", path)
    found = [_number(label, decimal) for label in labels]
    is_text = None in found or not any(number is not None and math.isfinite(number) for number in found)
    if is_text or kind == "categorical":
        return _as_text(labels, levels, None if is_text else found)
    numbers = np.array(found, dtype=np.float64)
    if kind is None and _are_codes(labels, numbers):
        return _as_text(labels, levels, found)
    odd = np.flatnonzero(~np.isfinite(numbers))
    if len(odd):
        row = int(np.flatnonzero(levels == odd[0])[0])
        raise CausalVAEError(
            "CV235",
            f"Factor {factor} is {labels[odd[0]]} in sample {row} (counted from 0), and a number elsewhere.",
            f"Fill in the entry or leave the sample out; `{factor}: {{kind: categorical}}` in data.factors keeps text.",
            str(path),
        )
    known, levels = rank_levels(numbers[levels])
    return Told(known[levels], known, levels, ())


def _number(label: str, decimal: str) -> float | None:
    """The number that a label spells, nan where it says that one is missing; None where it is text."""
    if label in _MISSING:
        return math.nan
    plain = label if decimal == "." else label.replace(".", " ").replace(decimal, ".")
    return float(plain) if _NUMBER.fullmatch(plain) else None


def _are_codes(labels: npt.NDArray[np.object_], numbers: FloatArray) -> bool:
    if any(_LEADING_ZERO.fullmatch(label) for label in labels):
        return True
    finite = numbers[np.isfinite(numbers)]
    different = np.unique(finite)
    return len(different) < len(finite) and _are_levels(different)


def _are_levels(known: FloatArray) -> bool:
    return len(known) <= _MANY_LEVELS and bool((known == np.round(known)).all())


def _as_text(
    labels: npt.NDArray[np.object_] | npt.NDArray[np.str_], levels: IntArray, numbers: Sequence[float | None] | None
) -> Told:
    """Levels in the order of their text, or of the numbers that they spell; what spells none comes last."""
    order = np.arange(len(labels)) if numbers is None else np.argsort(np.array(numbers, np.float64), kind="stable")
    place = np.argsort(order)
    known = np.arange(len(order), dtype=np.float64)
    return Told(known[place[levels]], known, place[levels], tuple(labels[order].tolist()))


def read_array(factor: str, column: npt.NDArray[Any], path: Path) -> Told:
    """What an array of text or numbers tells; CV235 where an entry is empty or not finite.

    Text stays text, whatever it spells: an array's type tells which it is.
    """
    if column.dtype.kind in "US":
        labels, levels = np.unique(_decoded(column), return_inverse=True)
        levels = levels.reshape(-1).astype(np.int64)
        if labels[0] == "":
            raise _unusable(factor, int(np.flatnonzero(levels == 0)[0]), "empty", path)
        return _as_text(labels, levels, None)
    if column.dtype.kind not in "biuf":
        raise _wrong_kind(factor, f"numbers or text, and not {column.dtype}", path)
    values = column.astype(np.float64)
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        raise _unusable(factor, int(odd[0]), "not finite", path)
    known, levels = rank_levels(values)
    return Told(values, known, levels, ())


def read_names(array: npt.NDArray[Any]) -> tuple[str, ...]:
    """An array of text or numbers, shape (n,), as names."""
    return tuple(str(name) for name in (_decoded(array) if array.dtype.kind in "US" else array).tolist())


def _decoded(texts: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    """Text without blanks around it; bytes are read as UTF-8."""
    return np.char.strip(np.char.decode(texts, "utf-8", "replace") if texts.dtype.kind == "S" else texts)


def _kind_of(factor: str, declared: FactorKind | None, column: Told, path: Path) -> FactorKind | None:
    """What a factor is; None for numbers that are levels if, and only if, the factors make a grid."""
    if column.labels and declared not in (None, "categorical"):
        raise _wrong_kind(factor, f"{declared} factors are numbers, and this is text", path)
    kind: FactorKind | None = declared
    if declared is None and column.labels:
        kind = "categorical"
    elif declared is None and _are_levels(column.known):
        kind = "ordinal"
    if kind not in (None, "continuous") and len(column.known) > _MOST_LEVELS:
        raise _wrong_kind(factor, f"{len(column.known):,} different entries are no levels", path)
    return kind


def _factor(name: str, kind: FactorKind, column: Told, section: FactorColumn, row_of: IntArray | None) -> Factor:
    settable = row_of is not None
    if kind == "continuous":
        return Factor(name, kind, (float(column.known[0]), float(column.known[-1])), settable=settable)
    labels = column.labels
    if kind == "categorical" and not labels:
        labels = tuple(f"{value:.10g}" for value in column.known)
    period = section.period or 2 * math.pi
    return Factor(name, kind, tuple(column.known.tolist()), labels, period, settable, coded=bool(column.labels))


def _unusable(factor: str, row: int, what: str, path: Path) -> CausalVAEError:
    return CausalVAEError(
        "CV235",
        f"Factor {factor} is {what} in sample {row} (counted from 0).",
        "Fill in the entry, or leave the sample out.",
        str(path),
    )


def _wrong_kind(factor: str, what: str, path: Path) -> CausalVAEError:
    return CausalVAEError(
        "CV236",
        f"Factor {factor} is not as declared: {what}.",
        f"Give data.factors.{factor} another kind or column.",
        str(path),
    )
