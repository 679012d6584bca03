"""Samples and counterfactuals of structural causal models.

A row contains the values of a sample, its exogenous noise, and flags of set variables. Counterfactuals (Pearl 2009,
*Causality*, section 7.1) therefore need no inference: the noise is kept, the set variable gets its value, and its
descendants are recomputed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import Factor, FactorSpace, FloatArray, Rows
from causalvae.data.others import Others, recomputed
from causalvae.errors import CausalVAEError
from causalvae.spec.scalar_functions import LEAST_UNIFORM, SCALAR
from causalvae.spec.structural import Mechanism, StructuralModel
from causalvae.spec.terms import PROBABILITY_SLACK, Lookup, Parameter, outside_domain


def _as_number(test: npt.NDArray[np.bool_]) -> FloatArray:
    return np.asarray(test, dtype=np.float64)


def _sigmoid(x: FloatArray) -> FloatArray:
    # The exponential of a negative number does not overflow.
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(np.asarray(x) >= 0, 1.0, small) / (1.0 + small))


def _quantile_laplace(u: FloatArray) -> FloatArray:
    return np.asarray(np.where(u < 0.5, np.log(2 * np.maximum(u, LEAST_UNIFORM)), -np.log(2 * (1 - u))))


def _parameter(parameter: Parameter, value: FloatArray) -> FloatArray:
    slack = PROBABILITY_SLACK if np.isfinite(parameter.high) else 0.0
    inside = (value >= parameter.low - slack) & (value <= parameter.high + slack)
    return np.asarray(np.where(inside, value, np.nan))


def _bernoulli(noise: FloatArray, probability: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.isnan(probability), np.nan, _as_number(noise >= 1 - np.asarray(probability))))


def _look_up(table: Lookup, parents: Sequence[FloatArray], noise: FloatArray) -> FloatArray:
    row = np.zeros(len(noise), dtype=np.int64)
    for values, parent in zip(table.values, parents, strict=True):
        distance = np.abs(np.asarray(values)[None, :] - np.broadcast_to(parent, noise.shape)[:, None])
        row = row * len(values) + distance.argmin(axis=1)
    level = (noise[:, None] >= np.asarray(table.rows)[row]).sum(axis=1)
    found: FloatArray = np.asarray(table.levels, dtype=np.float64)[level]
    return found


def _fold(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *values: reduce(function, values)


# Like `causalvae.spec.scalar_functions.SCALAR`, for arrays.
ARRAY: Final[dict[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "**": np.float_power,
    "neg": np.negative,
    "<": lambda a, b: _as_number(np.less(a, b)),
    "<=": lambda a, b: _as_number(np.less_equal(a, b)),
    ">": lambda a, b: _as_number(np.greater(a, b)),
    ">=": lambda a, b: _as_number(np.greater_equal(a, b)),
    "==": lambda a, b: _as_number(np.abs(np.subtract(a, b)) <= 1e-9),
    "!=": lambda a, b: _as_number(np.abs(np.subtract(a, b)) > 1e-9),
    "and": lambda a, b: _as_number(np.logical_and(a, b)),
    "or": lambda a, b: _as_number(np.logical_or(a, b)),
    "not": lambda a: _as_number(np.logical_not(a)),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "floor": np.floor,
    "round": np.round,
    "min": _fold(np.minimum),
    "max": _fold(np.maximum),
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "where": lambda condition, value, otherwise: np.where(np.asarray(condition) != 0, value, otherwise),
    "parameter": _parameter,
    "bernoulli": _bernoulli,
    "quantile_exponential": lambda u: -np.log1p(-u),
    "quantile_laplace": _quantile_laplace,
    "lookup": _look_up,
}


def factor_of(mechanism: Mechanism, bounds: tuple[float, float]) -> Factor:
    """A variable as a factor: categorical if its levels have names, ordinal if they are numbers.

    Parameters
    ----------
    mechanism : Mechanism
    bounds : (float, float)
        Minimum and maximum of a continuous variable.
    """
    if mechanism.labels:
        return Factor(mechanism.name, "categorical", mechanism.values, mechanism.labels)
    if mechanism.values:
        return Factor(mechanism.name, "ordinal", mechanism.values)
    return Factor(mechanism.name, "continuous", bounds)


_LARGEST = float(np.finfo(np.float32).max)


class Sampler:
    """Draws rows of a structural model and intervenes on them.

    Parameters
    ----------
    model : StructuralModel

    Attributes
    ----------
    space : FactorSpace
        The variables in the order of the spec; levels with labels have the values 0, 1, ...
    width : int
        Width of a row: values of all variables, their noise, and for each variable 1 if it was set, else 0.
    """

    def __init__(self, model: StructuralModel) -> None:
        self.model = model
        self.space = FactorSpace(tuple(factor_of(item, model.ranges[item.name]) for item in model.mechanisms))
        self._column = {name: position for position, name in enumerate(model.names)}
        self._first_noise = len(model.names)
        self._first_flag = self._first_noise + len(model.noises)
        self.width = self._first_flag + len(model.names)

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Draw `n` samples, float64, (n, width).

        Raises
        ------
        CausalVAEError
            CV220 if an equation gives no finite number.
        """
        rows = np.zeros((n, self.width), dtype=np.float64)
        for position, noise in enumerate(self.model.noises):
            column = rows[:, self._first_noise + position]
            if noise.kind == "normal":
                column[:] = rng.standard_normal(n)
            elif noise.kind == "uniform":
                column[:] = rng.random(n)
            else:
                column[:] = rng.standard_gamma(noise.shape, n)
        self._compute(rows, self.model.order)
        return rows

    def values(self, rows: Rows) -> FloatArray:
        """Values of all variables, float64, (n, n_variables)."""
        return np.asarray(rows[:, : self._first_noise], dtype=np.float64)

    def column(self, rows: Rows, name: str) -> FloatArray:
        """Values of one variable: shape (n,)."""
        return np.asarray(rows[:, self._column[name]], dtype=np.float64)

    def noise(self, rows: Rows, name: str) -> FloatArray:
        """Noise of one variable, one column for each draw in its equation, (n, k)."""
        first, stop = self.model.noise_columns[name]
        return np.asarray(rows[:, self._first_noise + first : self._first_noise + stop], dtype=np.float64)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """Counterfactual samples under do(`factor` = `values`), (n, width).

        Parameters
        ----------
        rows : float array, shape (n, width)
        factor : str
        values : float array, shape (n,)
            For a variable with levels, the nearest level is used.
        others : "hold", "propagate" or Release
            ``propagate`` recomputes the descendants of `factor` with the same noise, except those set by an earlier
            call; ``hold`` keeps all other variables; `Release` recomputes only the named ones.

        Raises
        ------
        CausalVAEError
            CV220 if an equation gives no finite number under the intervention.
        """
        changed = np.array(rows, dtype=np.float64)
        chosen = self.space[factor]
        position = self._column[factor]
        changed[:, position] = (
            values if chosen.is_continuous else np.asarray(chosen.values)[chosen.levels_at(np.asarray(values))]
        )
        changed[:, self._first_flag + position] = 1.0
        self._compute(changed, recomputed(others, self.model.descendants(factor)))
        return changed

    def _compute(self, rows: Rows, names: Sequence[str]) -> None:
        """Compute variables in causal order, in place, except those that were set."""
        known = {name: rows[:, position] for name, position in self._column.items()}
        for name in names:
            position = self._column[name]
            first, stop = (self._first_noise + column for column in self.model.noise_columns[name])
            noise = [rows[:, column] for column in range(first, stop)]
            with np.errstate(all="ignore"):
                found = np.broadcast_to(self.model.by_name[name].value(known, noise, ARRAY), (len(rows),))
            kept = rows[:, self._first_flag + position] != 0
            rows[:, position] = np.where(kept, rows[:, position], found)
            self._refuse_infinite(rows, name)

    def _refuse_infinite(self, rows: Rows, name: str) -> None:
        # Networks use single precision, with a smaller range.
        bad = np.flatnonzero(~(np.abs(rows[:, self._column[name]]) <= _LARGEST))
        if not len(bad):
            return
        row = rows[bad[0]]
        mechanism = self.model.by_name[name]
        values = {other: float(row[position]) for other, position in self._column.items()}
        parents = ", ".join(f"{parent} = {values[parent]:.4g}" for parent in mechanism.parents)
        where = f" where {parents}" if parents else ""
        often = f"(in {len(bad)} of {len(rows)} samples)"
        wrong = outside_domain(mechanism.term, values, self.noise(rows[bad[:1]], name)[0].tolist(), SCALAR)
        if wrong is not None:
            parameter, value = wrong
            raise CausalVAEError(
                "CV220",
                f"In the equation of {name} the {parameter.name} of `{parameter.text}` is {value:.4g}{where} {often}.",
                f"It must be {parameter.domain}: keep it there with clip, max or abs.",
                f"data.variables.{name}",
            )
        raise CausalVAEError(
            "CV220",
            f"The equation of {name} gives no finite number in single precision{where} {often}.",
            "Keep the arguments of log, sqrt, ** and the divisors within their ranges, with clip or max.",
            f"data.variables.{name}",
        )
