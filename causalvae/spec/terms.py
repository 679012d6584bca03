"""Terms of equations, and their evaluation with a table of functions.

There is a table for floats (`causalvae.spec.scalar_functions.SCALAR`) and one for arrays (`causalvae.data.structural`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# Tolerance for rounding errors in sums of probabilities.
PROBABILITY_SLACK: Final = 1e-9


@dataclass(frozen=True)
class Constant:
    """A number."""

    value: float


@dataclass(frozen=True)
class Label:
    """Text in quotes: the name of a level."""

    text: str


@dataclass(frozen=True)
class Variable:
    """The value of another variable."""

    name: str


@dataclass(frozen=True)
class Noise:
    """Exogenous noise, by its index among the draws of the equation.

    Parameters
    ----------
    index : int
    kind : {"normal", "uniform", "gamma"}
        Standard normal, uniform over [0, 1), or gamma with the given shape and scale 1.
    shape : float
        Shape parameter of a gamma.
    """

    index: int
    kind: str
    shape: float = 1.0


@dataclass(frozen=True)
class Call:
    """A function or operator applied to terms; `labels` names all arguments of ``case`` but the first."""

    function: str
    arguments: tuple[Term, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A parameter of a distribution; NaN outside its domain.

    Parameters
    ----------
    term : Term
        The parameter's value.
    text : str
        The distribution's call, as written.
    name : str
        Name of the parameter.
    low, high : float
        The domain, both ends included.
    """

    term: Term
    text: str
    name: str
    low: float = 0.0
    high: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether a number is within the domain, with a tolerance for probabilities."""
        slack = PROBABILITY_SLACK if math.isfinite(self.high) else 0.0
        return self.low - slack <= value <= self.high + slack

    @property
    def domain(self) -> str:
        """The domain in words."""
        if math.isinf(self.high):
            return f"{self.low:.12g} or more"
        return f"from {self.low:.12g} to {self.high:.12g}"


@dataclass(frozen=True)
class Lookup:
    """A level drawn from a table of distributions by its inverse cumulative distribution.

    Parameters
    ----------
    given : tuple of str
        The variables that choose the row, the last varying fastest.
    values : tuple of tuple of float
        For each of them, the values of its levels.
    rows : tuple of tuple of float
        For each row, the cumulative probabilities of all levels but the last.
    levels : tuple of float
        The value of each level.
    noise : Noise
        Uniform; level k is drawn if it is in the k-th interval of [0, 1).
    """

    given: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    rows: tuple[tuple[float, ...], ...]
    levels: tuple[float, ...]
    noise: Noise


Term = Constant | Label | Variable | Noise | Call | Parameter | Lookup
Functions = Mapping[str, Callable[..., Any]]


def walk(term: Term) -> Iterator[Term]:
    """The term and every term inside it, in the order of the text."""
    yield term
    if isinstance(term, Call):
        for argument in term.arguments:
            yield from walk(argument)
    elif isinstance(term, Parameter):
        yield from walk(term.term)
    elif isinstance(term, Lookup):
        yield term.noise


def noises_of(term: Term) -> tuple[Noise, ...]:
    """The noise of the term, in the order of `Noise.index`."""
    found = {part.index: part for part in walk(term) if isinstance(part, Noise)}
    return tuple(found[index] for index in sorted(found))


def names_of(term: Term) -> tuple[str, ...]:
    """The variables that the term depends on, each once, in the order of the text."""
    found: list[str] = []
    for part in walk(term):
        found += [part.name] if isinstance(part, Variable) else list(part.given) if isinstance(part, Lookup) else []
    return tuple(dict.fromkeys(found))


def evaluate(term: Term, values: Mapping[str, Any], noise: Sequence[Any], functions: Functions) -> Any:
    """Evaluate a term.

    Parameters
    ----------
    term : Term
        Without labels; `causalvae.spec.scm_compile` replaces them by values.
    values : mapping
        Values of the variables in the term.
    noise : sequence
        Values of its noise, by index.
    functions : mapping
        Name -> function; `SCALAR` for numbers.
    """
    match term:
        case Constant(value):
            return value
        case Variable(name):
            return values[name]
        case Noise(index):
            return noise[index]
        case Call(function, arguments):
            return functions[function](*[evaluate(part, values, noise, functions) for part in arguments])
        case Parameter(inner):
            return functions["parameter"](term, evaluate(inner, values, noise, functions))
        case Lookup():
            parents = [values[name] for name in term.given]
            return functions["lookup"](term, parents, noise[term.noise.index])
    raise TypeError(f"{term} was not resolved")


def outside_domain(
    term: Term, values: Mapping[str, Any], noise: Sequence[Any], functions: Functions
) -> tuple[Parameter, float] | None:
    """The first parameter of a distribution in `term` outside its domain, and its value; None if there is none.

    Parameters
    ----------
    term, values, noise, functions
        As for `evaluate`, for one sample, with floats.
    """
    for part in walk(term):
        if isinstance(part, Parameter):
            value = float(evaluate(part.term, values, noise, functions))
            if value == value and not part.holds(value):
                return part, value
    return None
