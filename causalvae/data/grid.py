"""Full grids of factors: data sets that have one sample for every combination of levels."""

from __future__ import annotations

import numpy as np

from causalvae.data.factors import FactorSpace, FloatArray, IntArray, Rows
from causalvae.data.others import Others
from causalvae.spec.columns import Columns


class Grid:
    """What every data set shares whose samples are the points of a full grid of factors: its rows are levels."""

    space: FactorSpace
    columns: Columns | None = None

    @property
    def size(self) -> int | None:
        """Number of grid points."""
        return len(self.space)

    def draw(self, n: int, rng: np.random.Generator) -> IntArray:
        """Levels of `n` samples, uniform over the grid with replacement: int array, shape (n, n_factors)."""
        return draw_from_grid(self.space, n, rng)

    def rows_at(self, numbers: IntArray) -> Rows:
        """Levels of the grid points with these numbers: int array, shape (n, n_factors)."""
        return self.space.levels_of(numbers)

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of the grid points at levels `rows`: int array, shape (n,)."""
        return self.space.index_of(rows)

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """Nothing: grid points have no files of their own."""
        return ()

    def values(self, rows: Rows) -> FloatArray:
        """Physical values at levels `rows`; both have shape (n, n_factors)."""
        return self.space.values_of(rows)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """The grid points where `factor` is at the level nearest to each of `values`; factors are independent."""
        return self.space.set_on_grid(rows, factor, values)


def draw_from_grid(space: FactorSpace, n: int, rng: np.random.Generator) -> IntArray:
    """`n` grid points, uniform with replacement, such that a shorter draw is the start of a longer one."""
    return space.levels_of(rng.integers(0, len(space), n))
