"""The functions of equations for floats, used to check specs without loading numpy.

Functions return NaN if undefined, such as the logarithm of -1, and never raise.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final

from causalvae.spec.terms import Lookup, Parameter

# Half of the resolution of uniform noise; replaces a noise of 0, whose logarithm is infinite.
LEAST_UNIFORM: Final = 2.0**-54


def _guard(function: Callable[..., float]) -> Callable[..., float]:
    def guarded(*arguments: float) -> float:
        try:
            return function(*arguments)
        except (ValueError, OverflowError, ZeroDivisionError):
            return math.nan

    return guarded


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else 1 - 1 / (1 + math.exp(x))


def _folded(better: Callable[[float, float], bool]) -> Callable[..., float]:
    """The best number, the first of equals; NaN if any is NaN, as in numpy."""

    def fold(first: float, *others: float) -> float:
        for other in others:
            if math.isnan(first) or math.isnan(other):
                return math.nan
            first = other if better(other, first) else first
        return first

    return fold


_least, _greatest = _folded(operator.lt), _folded(operator.gt)


def _quantile_laplace(u: float) -> float:
    if u >= 1:
        return math.inf
    return math.log(2 * max(u, LEAST_UNIFORM)) if u < 0.5 else -math.log(2 * (1 - u))


def _parameter(parameter: Parameter, value: float) -> float:
    return value if parameter.holds(value) else math.nan


def _look_up(table: Lookup, parents: Sequence[float], noise: float) -> float:
    row = 0
    for values, parent in zip(table.values, parents, strict=True):
        row = row * len(values) + min(range(len(values)), key=lambda level: abs(values[level] - parent))
    return table.levels[bisect_right(table.rows[row], noise)]


SCALAR: Final[dict[str, Callable[..., Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _guard(operator.truediv),
    "%": _guard(operator.mod),
    "**": _guard(math.pow),
    "neg": operator.neg,
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "==": lambda a, b: float(abs(a - b) <= 1e-9),
    "!=": lambda a, b: float(abs(a - b) > 1e-9),
    "and": lambda a, b: float(bool(a) and bool(b)),
    "or": lambda a, b: float(bool(a) or bool(b)),
    "not": lambda a: float(not a),
    "exp": _guard(math.exp),
    "log": _guard(math.log),
    "sqrt": _guard(math.sqrt),
    "abs": abs,
    "sin": _guard(math.sin),
    "cos": _guard(math.cos),
    "tan": _guard(math.tan),
    "tanh": math.tanh,
    "sigmoid": _guard(_sigmoid),
    "floor": _guard(lambda x: float(math.floor(x))),
    "round": _guard(lambda x: float(round(x))),
    "min": _least,
    "max": _greatest,
    "clip": lambda x, low, high: _least(_greatest(x, low), high),
    "where": lambda condition, value, otherwise: value if condition else otherwise,
    "parameter": _parameter,
    "bernoulli": lambda u, probability: math.nan if math.isnan(probability) else float(u >= 1 - probability),
    "quantile_exponential": lambda u: -math.log1p(-u) if u < 1 else math.inf,
    "quantile_laplace": _quantile_laplace,
    "lookup": _look_up,
}
