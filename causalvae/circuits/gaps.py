"""How much larger the relative error of other circuits is than that of the claimed one, by a paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from causalvae.circuits.table import CircuitTable
from causalvae.circuits.types import Measure
from causalvae.effects.bootstrap import FloatArray, PairedBootstrap

# Replicates that are held at once.
_MOST_NUMBERS = 10_000_000


@dataclass(frozen=True)
class Gaps:
    """D of some circuits less D of the claimed one, for each measure that is claimed.

    Parameters
    ----------
    measures : tuple of str
    values : float array, shape (measures, rows)
        NaN where a circuit is undefined.
    lower, upper : float array, shape (measures, rows)
        Percentile intervals at the bootstrap's confidence.
    p_larger, p_smaller : float array, shape (measures, rows)
        One-sided percentile p-values that the gap is at most, and at least, the margin: (1 + #) / (resamples + 1).
        1 where a circuit is undefined, or too few pairs are defined: what cannot be compared decides nothing.
    """

    measures: tuple[Measure, ...]
    values: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_larger: FloatArray
    p_smaller: FloatArray

    @property
    def p_worse(self) -> FloatArray:
        """Of a circuit not being worse in any measure, shape (rows,): the smallest p-value times their number."""
        return np.asarray(np.minimum(1.0, len(self.measures) * self.p_larger.min(axis=0)))

    @property
    def p_as_well(self) -> FloatArray:
        """Of a circuit being worse in some measure, shape (rows,): the largest p-value."""
        return np.asarray(self.p_smaller.max(axis=0))

    @property
    def largest(self) -> FloatArray:
        """The gap of the measure in which a circuit is worst, shape (rows,)."""
        return np.asarray(self.values.max(axis=0))


def measure_gaps(table: CircuitTable, rows: Sequence[int], margin: float, bootstrap: PairedBootstrap) -> Gaps:
    """Compare circuits with the claimed one.

    Parameters
    ----------
    table : CircuitTable
        With n pairs.
    rows : sequence of int
    margin : float
        How much larger D must be.
    bootstrap : PairedBootstrap
        Over n pairs.

    Notes
    -----
    D = sqrt(sum square / sum TE^2) of each resample of the pairs, the same resamples for all circuits.
    """
    weights = bootstrap.weights.T
    total = table.total @ weights
    # Resamples in which no pair is moved say nothing.
    weights, total = weights[:, total > 0], total[total > 0]
    parts = [
        _compare(columns.squares, rows, table.total, weights, total, margin, bootstrap.confidence)
        for columns in table.measures.values()
    ]
    gaps = Gaps(tuple(table.measures), *(np.stack(columns) for columns in zip(*parts, strict=True)))
    if table.has_too_few_pairs:
        gaps.p_larger[:] = gaps.p_smaller[:] = 1.0
    return gaps


def _compare(
    squares: FloatArray, rows: Sequence[int], whole: FloatArray, weights: FloatArray, total: FloatArray, margin: float,
    confidence: float,
) -> tuple[FloatArray, ...]:  # fmt: skip
    """Gaps of one measure: values, ends and both p-values, each of shape (rows,)."""
    own = np.sqrt(np.maximum(squares[0] @ weights, 0.0) / total)
    value = np.sqrt(squares[[0, *rows]].sum(axis=1) / whole.sum())
    value = value[1:] - value[0]
    found = np.full((4, len(rows)), np.nan)
    tail = (1 - confidence) / 2
    step = max(1, _MOST_NUMBERS // len(total))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        gaps = np.sqrt(np.maximum(squares[list(rows[part])] @ weights, 0.0) / total) - own
        found[:2, part] = np.quantile(gaps, [tail, 1 - tail], axis=1)
        # Equal circuits must not differ by the last bit of a sum.
        beyond, slack = gaps - margin, 1e-9
        found[2, part] = (1 + (beyond <= slack).sum(axis=1)) / (len(total) + 1)
        found[3, part] = (1 + (beyond >= -slack).sum(axis=1)) / (len(total) + 1)
    found[2:, ~np.isfinite(value)] = 1.0
    return value, *found
