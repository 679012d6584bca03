"""Data sets on a full grid of factors, with one sample for each combination of levels."""

from __future__ import annotations

import numpy as np

from causalvae.data.factors import FactorSpace, FloatArray, IntArray, Rows
from causalvae.data.others import Others
from causalvae.spec.columns import Columns


class Grid:
    """Base class of data sets on a full grid of factors, whose rows are levels."""

    space: FactorSpace
    columns: Columns | None = None

    @property
    def size(self) -> int | None:
        """Number of grid points."""
        return len(self.space)

    def draw(self, n: int, rng: np.random.Generator) -> IntArray:
        """Draw levels of `n` samples uniformly, with replacement: int, (n, n_factors)."""
        return draw_from_grid(self.space, n, rng)

    def rows_at(self, numbers: IntArray) -> Rows:
        """Levels of the grid points with these numbers, int, (n, n_factors)."""
        return self.space.levels_of(numbers)

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of the grid points at levels `rows`, int, (n,)."""
        return self.space.index_of(rows)

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """Empty, since grid points have no files."""
        return ()

    def values(self, rows: Rows) -> FloatArray:
        """Physical values at levels `rows`, both (n, n_factors)."""
        return self.space.values_of(rows)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """The grid points with `factor` at the level nearest to `values`; factors are independent."""
        return self.space.set_on_grid(rows, factor, values)


def draw_from_grid(space: FactorSpace, n: int, rng: np.random.Generator) -> IntArray:
    """Draw `n` grid points uniformly, with replacement; a shorter draw is a prefix of a longer one."""
    return space.levels_of(rng.integers(0, len(space), n))
