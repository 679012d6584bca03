"""Ground-truth factors of variation: names, values and levels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
# One row per sample, with the representation of its data set, such as grid levels, the number of a sample in a file, or
# values and exogenous noise.
Rows = npt.NDArray[Any]

FactorKind = Literal["categorical", "ordinal", "cyclic", "continuous"]


@dataclass(frozen=True)
class Factor:
    """One factor of variation.

    Parameters
    ----------
    name : str
        Name of the factor in specs.
    kind : {"categorical", "ordinal", "cyclic", "continuous"}
        Levels are unordered (``categorical``), ordered (``ordinal``) or cyclic; a ``continuous`` factor has no levels.
    values : tuple of float
        The physical value of each level; minimum and maximum of a continuous factor.
    labels : tuple of str, optional
        Names of the levels; only for categorical factors.
    period : float, default 2 pi
        Period of the values of a cyclic factor; ignored for other kinds.
    settable : bool, default True
        Whether the data give counterfactual samples under other values.
    coded : bool, default False
        Whether `values` are only numbers of the levels of a text column.
    """

    name: str
    kind: FactorKind
    values: tuple[float, ...]
    labels: tuple[str, ...] = ()
    period: float = 2 * math.pi
    settable: bool = True
    coded: bool = False

    @property
    def is_continuous(self) -> bool:
        """Whether it has values but no levels."""
        return self.kind == "continuous"

    @property
    def size(self) -> int:
        """Number of levels; 0 for a continuous factor."""
        return 0 if self.is_continuous else len(self.values)

    def levels_at(self, values: FloatArray) -> IntArray:
        """The levels nearest to physical `values`, (n,): int, (n,)."""
        known = np.asarray(self.values, dtype=np.float64)
        return np.asarray(np.abs(known[None, :] - values[:, None]).argmin(axis=1), dtype=np.int64)

    @property
    def meanings(self) -> IntArray:
        """For each level the first equivalent level, (size,).

        Only cyclic factors have equivalent levels: the orientation of dSprites ranges from 0 to 2 pi inclusive, so the
        first and the last level give the same image.
        """
        levels = np.arange(self.size, dtype=np.int64)
        if self.kind != "cyclic":
            return levels
        turns = (np.asarray(self.values)[:, None] - np.asarray(self.values)[None, :]) / self.period
        same: npt.NDArray[np.bool_] = np.abs(turns - np.round(turns)) < 1e-9
        return np.asarray(same.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class FactorSpace:
    """An ordered set of factors; without continuous ones, points of the full grid have indices in C order.

    Parameters
    ----------
    factors : tuple of Factor
        The factors, slowest varying first.
    """

    factors: tuple[Factor, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the factors, in order."""
        return tuple(factor.name for factor in self.factors)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of levels of each factor, in order."""
        return tuple(factor.size for factor in self.factors)

    def __len__(self) -> int:
        return int(np.prod(self.sizes))

    def position(self, name: str) -> int:
        """Column of the factor called `name`; raises `KeyError` if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(name) from None

    def __getitem__(self, name: str) -> Factor:
        return self.factors[self.position(name)]

    def levels_of(self, index: IntArray) -> IntArray:
        """Levels of grid points.

        Parameters
        ----------
        index : int array, shape (n,)
            Indices in the full grid.

        Returns
        -------
        int array, shape (n, n_factors)
        """
        return np.stack(np.unravel_index(index, self.sizes), axis=1).astype(np.int64)

    def index_of(self, levels: IntArray) -> IntArray:
        """Indices in the full grid, (n,), of `levels`, (n, n_factors)."""
        return np.asarray(np.ravel_multi_index(tuple(levels.T), self.sizes), dtype=np.int64)

    def values_of(self, levels: IntArray) -> FloatArray:
        """Physical values of `levels`; both have shape (n, n_factors)."""
        values = np.empty(levels.shape, dtype=np.float64)
        for j, factor in enumerate(self.factors):
            values[:, j] = np.asarray(factor.values, dtype=np.float64)[levels[:, j]]
        return values

    def set_on_grid(self, levels: IntArray, factor: str, values: FloatArray) -> IntArray:
        """`levels`, (n, n_factors), with one factor set to the levels nearest to `values`, (n,)."""
        column = self.position(factor)
        changed = levels.copy()
        changed[:, column] = self.factors[column].levels_at(values)
        return changed

    def draw(self, n: int, rng: np.random.Generator) -> IntArray:
        """Draw `n` points uniformly from the full grid, with replacement: int, (n, n_factors)."""
        return np.stack([rng.integers(0, size, n) for size in self.sizes], axis=1).astype(np.int64)
