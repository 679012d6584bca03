"""Factors of own data: kinds, levels, and whether they form a full grid."""

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
from causalvae.data.files.refusals import in_samples
from causalvae.errors import CausalVAEError
from causalvae.spec.file_section import FactorColumn

# Missing values in pandas, except the empty entry.
_MISSING: Final = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|Inf|infinity|Infinity)", re.ASCII)
_LEADING_ZERO: Final = re.compile(r"[+-]?0\d.*")

# Integers with more distinct values count as continuous, unless declared to be levels.
_MANY_LEVELS: Final = 50
_MOST_LEVELS: Final = 10_000


@dataclass(frozen=True)
class Told:
    """The content of a column: values of the samples, (n,), and levels, if any.

    `levels` contains the level of each sample, (n,), `known` the value of each level, and `labels` their names if the
    column is text.
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
    """Make a data set of own samples: a grid if each combination of levels occurs once.

    Parameters
    ----------
    name : str
        Name of the source.
    columns : mapping
        Factor -> content of its column; see `read_text` and `read_array`.
    sections : mapping
        Factor -> its section in the spec.
    source : Inputs
    rows : int
        Number of samples.
    facts : mapping
    path : Path
        The file, for error messages.

    Raises
    ------
    CausalVAEError
        CV236 if a column is not of the declared kind.
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
    """Parse a column of a text file: numbers if all entries are numbers, else text.

    Parameters
    ----------
    factor : str
    texts : array of str, shape (n,)
    kind : str or None
        Kind in the spec. Categorical factors are always text; if the kind is omitted, so are numbers with leading zeros
        (``01``) and integers of which one is written in two ways (``1`` and ``1.0``).
    decimal : str
        Decimal separator.
    path : Path

    Raises
    ------
    CausalVAEError
        CV235 for empty entries, and for missing or infinite entries among numbers.
    """
    # Text is sorted by code points, independent of the locale.
    labels, levels = np.unique(texts, return_inverse=True)
    levels = levels.reshape(-1).astype(np.int64)
    if labels[0] == "":
        raise _unusable(factor, np.flatnonzero(levels == 0), "empty", path)
    found = [_number(label, decimal) for label in labels]
    is_text = None in found or not any(number is not None and math.isfinite(number) for number in found)
    if is_text or kind == "categorical":
        return _as_text(labels, levels, None if is_text else found)
    numbers = np.array(found, dtype=np.float64)
    if kind is None and _are_codes(labels, numbers):
        return _as_text(labels, levels, found)
    odd = np.flatnonzero(~np.isfinite(numbers))
    if len(odd):
        rows = np.flatnonzero(levels == odd[0])
        raise CausalVAEError(
            "CV235",
            f"Factor {factor} is {labels[odd[0]]} {in_samples(rows)}, and a number elsewhere.",
            f"Fill in the entry or remove the sample; `{factor}: {{kind: categorical}}` in data.factors keeps text.",
            str(path),
        )
    known, levels = rank_levels(numbers[levels])
    return Told(known[levels], known, levels, ())


def _number(label: str, decimal: str) -> float | None:
    """The value of a label: a number, nan if missing, None if it is text."""
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
    """Levels in the order of their text, or of their numbers with missing ones last."""
    order = np.arange(len(labels)) if numbers is None else np.argsort(np.array(numbers, np.float64), kind="stable")
    place = np.argsort(order)
    known = np.arange(len(order), dtype=np.float64)
    return Told(known[place[levels]], known, place[levels], tuple(labels[order].tolist()))


def read_array(factor: str, column: npt.NDArray[Any], path: Path) -> Told:
    """Read an array of text or numbers; CV235 if an entry is empty or not finite.

    Arrays of text are never converted to numbers.
    """
    if column.dtype.kind in "US":
        labels, levels = np.unique(_decoded(column), return_inverse=True)
        levels = levels.reshape(-1).astype(np.int64)
        if labels[0] == "":
            raise _unusable(factor, np.flatnonzero(levels == 0), "empty", path)
        return _as_text(labels, levels, None)
    if column.dtype.kind not in "biuf":
        raise _wrong_kind(factor, f"numbers or text, and not {column.dtype}", path)
    values = column.astype(np.float64)
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        raise _unusable(factor, odd, "not finite", path)
    known, levels = rank_levels(values)
    return Told(values, known, levels, ())


def read_names(array: npt.NDArray[Any]) -> tuple[str, ...]:
    """Convert an array of text or numbers, (n,), to names."""
    return tuple(str(name) for name in (_decoded(array) if array.dtype.kind in "US" else array).tolist())


def _decoded(texts: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    """Strip text; bytes are decoded as UTF-8."""
    return np.char.strip(np.char.decode(texts, "utf-8", "replace") if texts.dtype.kind == "S" else texts)


def _kind_of(factor: str, declared: FactorKind | None, column: Told, path: Path) -> FactorKind | None:
    """The kind of a factor; None for numbers that are levels if and only if the factors form a grid."""
    if column.labels and declared not in (None, "categorical"):
        raise _wrong_kind(factor, f"{declared} factors are numbers, and this is text", path)
    kind: FactorKind | None = declared
    if declared is None and column.labels:
        kind = "categorical"
    elif declared is None and _are_levels(column.known):
        kind = "ordinal"
    if kind not in (None, "continuous") and len(column.known) > _MOST_LEVELS:
        raise _wrong_kind(factor, f"{len(column.known):,} different entries cannot be levels", path)
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


def _unusable(factor: str, rows: IntArray, what: str, path: Path) -> CausalVAEError:
    return CausalVAEError(
        "CV235",
        f"Factor {factor} is {what} {in_samples(rows)}.",
        "Fill in the entry, or remove the sample.",
        str(path),
    )


def _wrong_kind(factor: str, what: str, path: Path) -> CausalVAEError:
    return CausalVAEError(
        "CV236",
        f"Factor {factor} is not as declared: {what}.",
        f"Give data.factors.{factor} another kind or column.",
        str(path),
    )
