"""Ground-truth factors of variation: what they are called, which values they take, and how they are coded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
# One row a sample: whatever its data set needs to make it again, such as grid levels, the number of a file's row, or
# factor values and exogenous noise.
Rows = npt.NDArray[Any]

FactorKind = Literal["categorical", "ordinal", "cyclic", "continuous"]


@dataclass(frozen=True)
class Factor:
    """One factor of variation.

    Parameters
    ----------
    name : str
        The factor's name, as a spec writes it.
    kind : {"categorical", "ordinal", "cyclic", "continuous"}
        ``categorical`` levels have no order, ``ordinal`` ones do, ``cyclic`` ones have an order that closes on itself;
        a ``continuous`` factor has no levels.
    values : tuple of float
        The physical value of each level, in level order; of a continuous factor the least and the greatest.
    labels : tuple of str, optional
        Names of the levels; only for categorical factors.
    period : float, default 2 pi
        How far a cyclic factor's value goes before it means the same again; ignored for other kinds.
    settable : bool, default True
        Whether the data knows what a sample would have been under another value.
    coded : bool, default False
        Whether `values` only number the levels of a text column, so that labels alone name them.
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
        """Number of levels; 0 of a continuous factor."""
        return 0 if self.is_continuous else len(self.values)

    def levels_at(self, values: FloatArray) -> IntArray:
        """The levels nearest to physical `values`, shape (n,): int array, shape (n,)."""
        known = np.asarray(self.values, dtype=np.float64)
        return np.asarray(np.abs(known[None, :] - values[:, None]).argmin(axis=1), dtype=np.int64)

    @property
    def meanings(self) -> IntArray:
        """For each level the first level that means the same, shape (size,).

        Only a cyclic factor repeats itself: dSprites' orientation runs from 0 to 2 pi with both ends included, so its
        last level draws the same image as its first.
        """
        levels = np.arange(self.size, dtype=np.int64)
        if self.kind != "cyclic":
            return levels
        turns = (np.asarray(self.values)[:, None] - np.asarray(self.values)[None, :]) / self.period
        same: npt.NDArray[np.bool_] = np.abs(turns - np.round(turns)) < 1e-9
        return np.asarray(same.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class FactorSpace:
    """An ordered set of factors; where none is continuous, their full grid is indexed by mixed radix, the last fastest.

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
        """Column of the factor called `name`; raises `KeyError` where there is none."""
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
            Positions in the full grid.

        Returns
        -------
        int array, shape (n, n_factors)
        """
        return np.stack(np.unravel_index(index, self.sizes), axis=1).astype(np.int64)

    def index_of(self, levels: IntArray) -> IntArray:
        """Positions in the full grid of `levels`, shape (n, n_factors)."""
        return np.asarray(np.ravel_multi_index(tuple(levels.T), self.sizes), dtype=np.int64)

    def values_of(self, levels: IntArray) -> FloatArray:
        """Physical values of `levels`; both have shape (n, n_factors)."""
        values = np.empty(levels.shape, dtype=np.float64)
        for j, factor in enumerate(self.factors):
            values[:, j] = np.asarray(factor.values, dtype=np.float64)[levels[:, j]]
        return values

    def set_on_grid(self, levels: IntArray, factor: str, values: FloatArray) -> IntArray:
        """`levels`, shape (n, n_factors), with one factor at the level nearest to each of `values`, shape (n,)."""
        column = self.position(factor)
        changed = levels.copy()
        changed[:, column] = self.factors[column].levels_at(values)
        return changed

    def draw(self, n: int, rng: np.random.Generator) -> IntArray:
        """`n` points drawn uniformly from the full grid, with replacement: int array, shape (n, n_factors)."""
        return np.stack([rng.integers(0, size, n) for size in self.sizes], axis=1).astype(np.int64)
