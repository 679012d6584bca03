"""Measured variables, and functions that represent them in a test of independence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalvae.engine.observed_columns import column_of
from causalvae.spec.schema import Spec

FloatArray = npt.NDArray[np.float64]

VariableKind = Literal["numeric", "categorical", "cyclic"]

HARMONICS = 2


@dataclass(frozen=True)
class Variable:
    """A measured variable.

    Parameters
    ----------
    name : str
    values : float array, shape (n,)
        Finite.
    kind : {"numeric", "categorical", "cyclic"}
    period : float, optional
        After how much a cyclic variable repeats.
    """

    name: str
    values: FloatArray
    kind: VariableKind = "numeric"
    period: float | None = None

    def __post_init__(self) -> None:
        if (self.kind == "cyclic") != (self.period is not None):
            raise ValueError(f"{self.name}: a period belongs to a cyclic variable, and only to that")

    @property
    def constant(self) -> bool:
        """Whether it has only one value, or values whose spread is too small or too large to be a number."""
        spread = self.values.std()
        return bool(np.ptp(self.values) == 0 or not 0 < spread < np.inf)

    def angles(self) -> FloatArray:
        """A cyclic variable as angles in radians, shape (n,)."""
        if self.period is None:
            raise ValueError(f"{self.name} is not cyclic")
        return np.asarray(2 * np.pi * self.values / self.period)


def encode(variable: Variable) -> FloatArray:
    """Functions of a variable whose residuals are to be uncorrelated with another's.

    Numeric: the first two Legendre polynomials of its mid-ranks, so trend and bend, whatever the scale. Categorical:
    an indicator of each level but the last. Cyclic: sine and cosine of the first two harmonics.

    Returns
    -------
    float array, shape (n, functions)
    """
    if variable.kind == "categorical":
        levels = np.unique(variable.values)
        return np.asarray(variable.values[:, None] == levels[None, :-1], dtype=np.float64)
    if variable.kind == "cyclic":
        turns = variable.angles()[:, None] * np.arange(1, HARMONICS + 1)
        return np.concatenate([np.cos(turns), np.sin(turns)], axis=1)
    u = 2 * _midranks(variable.values) - 1
    return np.stack([u, 1.5 * u**2 - 0.5], axis=1)


def as_numbers(variable: Variable) -> FloatArray:
    """A variable as numbers whose differences are changes of it, shape (n, numbers).

    Itself, or an indicator of each level, or cosine and sine; divided so that an unrelated redraw changes it by
    sqrt(2) in root mean square. It must vary.
    """
    found = variable.values[:, None]
    if variable.kind == "cyclic":
        found = encode(variable)[:, [0, HARMONICS]]
    elif variable.kind == "categorical":
        found = np.asarray(variable.values[:, None] == np.unique(variable.values)[None, :], dtype=np.float64)
    return np.asarray(found / np.sqrt(found.var(axis=0).sum()))


def _midranks(values: FloatArray) -> FloatArray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    ranks: FloatArray = ((below + counts / 2) / len(values))[inverse]
    return ranks


def gather_variables(
    spec: Spec, table: pd.DataFrame, attributes: Mapping[str, str], periods: Mapping[str, float]
) -> dict[str, Variable]:
    """The factors and attributes of samples, under their names in the declared graph.

    Parameters
    ----------
    spec : Spec
        Its factors. A factor's kind, and the period of a cyclic one, come from here or else from the data source.
    table : DataFrame
        Columns ``factor:NAME``, and those of `attributes`. Rows with an undefined attribute are omitted.
    attributes : mapping
        Attribute -> column.
    periods : mapping
        Attribute -> period, for attributes on a circle.

    Returns
    -------
    dict
        Name -> Variable, factors first.
    """
    columns = {name: column_of("factor", name) for name in spec.graph.factors}
    columns |= attributes
    rows = table[list(columns.values())].to_numpy(np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    found = {}
    for values, name in zip(rows.T, columns, strict=True):
        kind, period = kind_of(spec, name, periods)
        found[name] = Variable(name, values, kind, period)
    return found


def kind_of(spec: Spec, name: str, periods: Mapping[str, float]) -> tuple[VariableKind, float | None]:
    """Kind of a factor or attribute, and after how much it repeats where it is cyclic."""
    section = spec.graph.factors.get(name)
    source = spec.data.facts()
    entry = source.factor(name) if section is not None and source is not None else None
    kind = (section and section.kind) or (entry and entry.kind)
    if kind == "categorical":
        return "categorical", None
    period = periods.get(name)
    if kind == "cyclic" and period is None:
        ends = (section and section.range) or (entry and (entry.low, entry.high))
        period = ends[1] - ends[0] if ends else None
        period = entry.period if entry is not None and entry.period is not None else period
    return ("numeric", None) if period is None else ("cyclic", period)
