"""Data sets of samples in files, on a full grid of factors or with observed factors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import Factor, FactorSpace, FloatArray, IntArray, Rows
from causalvae.data.files.opening import Reopened
from causalvae.data.grid import Grid
from causalvae.data.others import Others
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns
from causalvae.spec.entries import FactorEntry

if TYPE_CHECKING:
    from torch import Tensor


class Inputs(Protocol):
    """The interface of inputs by number."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        ...

    @property
    def columns(self) -> Columns | None:
        """Names and scaling of columns if inputs are rows of a table, else None."""
        ...

    def read(self, numbers: IntArray) -> Tensor:
        """Inputs with these numbers, in this order, float32, (n, *input_shape)."""
        ...


class FileSamples(Reopened):
    """Base class of data sets in files.

    Parameters
    ----------
    name : str
    space : FactorSpace
    source : Inputs
    facts : mapping
        Facts for a report.

    Attributes
    ----------
    files : sequence of str
        The file of each sample; empty if there is not one file per sample.
    """

    def __init__(self, name: str, space: FactorSpace, source: Inputs, facts: Mapping[str, Any]) -> None:
        self.name, self.space = name, space
        self._source, self._facts = source, facts
        self.files: Sequence[str] = ()
        self.input_shape: tuple[int, ...] = source.input_shape
        self.columns: Columns | None = source.columns

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """Empty, since true values of readouts are unknown."""
        return {}

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """The file of each sample; empty if there is not one file per sample."""
        return tuple(self.files[number] for number in numbers.tolist()) if self.files else ()

    def _described(self, size: int) -> dict[str, Any]:
        levels = (f"{factor.name} ({factor.size})" if factor.size else factor.name for factor in self.space.factors)
        return {
            "source": self.name,
            **self._facts,
            "samples": size,
            "factors": ", ".join(levels) or "none",
            "input_shape": list(self.input_shape),
        }


class GridSamples(FileSamples, Grid):
    """Samples with exactly one for each combination of levels, so that do(factor) is a lookup.

    Rows are levels, int arrays of shape (n, n_factors).

    Parameters
    ----------
    name, space, source, facts
        As for `FileSamples`.
    row_of : int array, shape (len(space),), optional
        Number of the sample at each grid point; the index of the grid point if omitted.
    """

    def __init__(
        self, name: str, space: FactorSpace, source: Inputs, facts: Mapping[str, Any], row_of: IntArray | None = None
    ) -> None:
        super().__init__(name, space, source, facts)
        self._row_of = row_of

    @cached_property
    def _points(self) -> IntArray:
        """Index of the grid point of each sample, (samples,)."""
        return np.argsort(self._row_of if self._row_of is not None else np.arange(len(self.space))).astype(np.int64)

    def inputs(self, rows: Rows) -> Tensor:
        """Inputs of samples, float32, (n, *input_shape)."""
        return self._source.read(self.numbers_of(rows))

    def rows_at(self, numbers: IntArray) -> Rows:
        """Levels of the samples with these numbers, int, (n, n_factors)."""
        return self.space.levels_of(numbers if self._row_of is None else self._points[numbers])

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of samples, int, (n,)."""
        index = self.space.index_of(rows)
        return index if self._row_of is None else self._row_of[index]

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        return self._described(len(self.space))


class ObservedSamples(FileSamples):
    """Samples with observed factors, which cannot be set.

    Rows are numbers of samples, int, (n, 1).

    Parameters
    ----------
    name, space, source, facts
        As for `FileSamples`.
    values : number array, shape (samples, n_factors)
        Values of the factors.
    """

    def __init__(
        self, name: str, space: FactorSpace, source: Inputs, facts: Mapping[str, Any], values: npt.NDArray[Any]
    ) -> None:
        super().__init__(name, space, source, facts)
        self._values = values

    @property
    def size(self) -> int | None:
        """Number of samples."""
        return len(self._values)

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Draw `n` samples uniformly, with replacement: int, (n, 1)."""
        return rng.integers(0, len(self._values), (n, 1))

    def rows_at(self, numbers: IntArray) -> Rows:
        """Rows of the samples with these numbers, int, (n, 1)."""
        return numbers[:, None]

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of samples, int, (n,)."""
        return np.asarray(rows[:, 0])

    def values(self, rows: Rows) -> FloatArray:
        """Physical values of the factors, float, (n, n_factors)."""
        return np.asarray(self._values[rows[:, 0]], dtype=np.float64)

    def inputs(self, rows: Rows) -> Tensor:
        """Inputs of samples, float32, (n, *input_shape)."""
        return self._source.read(rows[:, 0])

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """Raise an error, since counterfactuals are unknown.

        Raises
        ------
        CausalVAEError
            CV206.
        """
        raise CausalVAEError(
            "CV206",
            f"The data set {self.name} has no counterfactual samples under another {factor}.",
            "Write `set: swap` to replace each sample with another, or give data that contain every combination of "
            "their factors once.",
            factor,
        )

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        return self._described(len(self._values))


Samples = GridSamples | ObservedSamples


def space_of(entries: Iterable[FactorEntry]) -> FactorSpace:
    """Convert factors of the catalogue to a space."""
    return FactorSpace(
        tuple(
            Factor(
                entry.name,
                entry.kind,
                (entry.low, entry.high) if entry.kind == "continuous" else entry.values,
                entry.labels,
                entry.period or 2 * math.pi,
                entry.settable,
            )
            for entry in entries
        )
    )


def rank_levels(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct values of a column in increasing order, and the index of each entry, (n,)."""
    known, levels = np.unique(values, return_inverse=True)
    return known, levels.reshape(-1).astype(np.int64)


def rows_of_grid(sizes: tuple[int, ...], levels: IntArray) -> IntArray | None:
    """Row of `levels`, (n, n_factors), at each point of a grid, (n,); None unless each point occurs exactly once."""
    if len(levels) != int(np.prod(sizes)):
        return None
    row_of = np.full(len(levels), -1, dtype=np.int64)
    row_of[np.ravel_multi_index(tuple(levels.T), sizes)] = np.arange(len(levels))
    return None if (row_of < 0).any() else row_of
