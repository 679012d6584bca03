"""Properties of a data source that are known before it is opened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal


@dataclass(frozen=True)
class FactorEntry:
    """A factor of a data source.

    Parameters
    ----------
    name : str
    kind : {"categorical", "ordinal", "cyclic", "continuous"}
    levels : int
        Number of levels, 0 for a continuous factor; their values are evenly spaced from `low` to `high` unless `given`.
    low, high : float
        Physical values of the first and the last level, or the range of a continuous factor; nan if known only from
        the files.
    labels : tuple of str
        Names of the levels of a categorical factor.
    given : tuple of float
        The physical value of each level, if they are not evenly spaced.
    period : float or None
        Period of a cyclic factor, if it is not `high - low`.
    settable : bool
        Whether the data give the counterfactual sample under another value.
    """

    name: str
    kind: Literal["categorical", "ordinal", "cyclic", "continuous"]
    levels: int
    low: float
    high: float
    labels: tuple[str, ...] = ()
    given: tuple[float, ...] = ()
    period: float | None = None
    settable: bool = True

    @property
    def values(self) -> tuple[float, ...]:
        """The physical value of each level."""
        if self.given:
            return self.given
        step = (self.high - self.low) / max(self.levels - 1, 1)
        return tuple(self.low + level * step for level in range(self.levels))

    def level_of(self, value: float | str) -> int | None:
        """The level of a label or of a physical value within a hundredth of a step; None if there is none.

        For a continuous factor 0 if the value is within its range; the last level for any number if the values of the
        levels are unknown.
        """
        if isinstance(value, str):
            return self.labels.index(value) if value in self.labels else None
        if math.isnan(self.low):
            return self.levels - 1
        if self.kind == "continuous":
            return 0 if self.low <= value <= self.high else None
        step = min((b - a for a, b in pairwise(self.values)), default=0.0)
        level = min(range(self.levels), key=lambda i: abs(self.values[i] - value))
        return level if abs(self.values[level] - value) <= 0.01 * step else None


@dataclass(frozen=True)
class DataEntry:
    """A data source: its factors, and whether a structural model relates them.

    Parameters
    ----------
    factors : tuple of FactorEntry or None
        None if they are known only from the files.
    structural : bool
    input_shape : tuple of int
        Shape of one input; empty if unknown.
    columns : tuple of str
        Names of the columns of a table.
    rate : float or None
        Sampling rate of sounds, in Hz.
    """

    factors: tuple[FactorEntry, ...] | None
    structural: bool = False
    input_shape: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    rate: float | None = None

    def factor(self, name: str) -> FactorEntry | None:
        """The factor called `name`; None if there is none, or if it is unknown."""
        return next((factor for factor in self.factors or () if factor.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the known factors."""
        return tuple(factor.name for factor in self.factors or ())
