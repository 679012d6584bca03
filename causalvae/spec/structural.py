"""Structural causal models of specs: mechanisms in causal order, and the ranges of variables.

Mechanisms are evaluated with a table of functions (`causalvae.spec.terms.evaluate`): on floats here, to check specs,
and on arrays in `causalvae.data.structural`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from causalvae.spec.digraph import reachable
from causalvae.spec.scalar_functions import SCALAR
from causalvae.spec.terms import Functions, Lookup, Noise, Term, evaluate, walk

# Number of draws to find ranges, means, standard deviations and errors of equations; fewer if there are many variables,
# so that checking a spec is fast.
_TRIALS: Final = (100, 500)
_TRIAL_VALUES: Final = 8000
# Maximum number of operations in all trials: about a second on a slow machine.
_TRIAL_WORK: Final = 1_000_000
_FEWEST_TRIALS: Final = 20
_SEED: Final = 20
# Ends of the noise that give the range of a variable without parents.
_CORNERS: Final[dict[str, tuple[float, float]]] = {"normal": (-3.0, 3.0), "uniform": (0.0, 1.0)}


@dataclass(frozen=True)
class Mechanism:
    """The equation or table of one variable.

    Parameters
    ----------
    name : str
    term : Term
        Its value, including rounding and clipping.
    parents : tuple of str
        The variables in the term.
    noises : tuple of Noise
        Its noise.
    values : tuple of float
        Values of its levels; empty for a continuous variable.
    labels : tuple of str
        Names of its levels; empty if they are numbers.
    bounds : (float, float) or None
        Its range, if given in the spec.
    hidden : bool
        Whether it is omitted of the inputs.
    """

    name: str
    term: Term
    parents: tuple[str, ...]
    noises: tuple[Noise, ...]
    values: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    hidden: bool = False

    def value(self, values: Mapping[str, Any], noise: Sequence[Any], functions: Functions) -> Any:
        """The value of the variable, given values of its parents and its noise."""
        return evaluate(self.term, values, noise, functions)


@dataclass(frozen=True)
class StructuralModel:
    """Mechanisms in causal order.

    Parameters
    ----------
    mechanisms : tuple of Mechanism
        In the order of the spec.
    order : tuple of str
        All names, parents before children.
    """

    mechanisms: tuple[Mechanism, ...]
    order: tuple[str, ...]

    @cached_property
    def by_name(self) -> dict[str, Mechanism]:
        """The mechanisms by name."""
        return {mechanism.name: mechanism for mechanism in self.mechanisms}

    @property
    def names(self) -> tuple[str, ...]:
        """The variables, in the order of the spec."""
        return tuple(mechanism.name for mechanism in self.mechanisms)

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """All (parent, child) pairs."""
        return tuple((parent, item.name) for item in self.mechanisms for parent in item.parents)

    @cached_property
    def noise_columns(self) -> dict[str, tuple[int, int]]:
        """For each variable the columns of its noise in `noises`: first, and the one after the last."""
        found, at = {}, 0
        for mechanism in self.mechanisms:
            found[mechanism.name] = (at, at + len(mechanism.noises))
            at += len(mechanism.noises)
        return found

    @cached_property
    def noises(self) -> tuple[Noise, ...]:
        """All noise, in the order of `noise_columns`."""
        return tuple(noise for mechanism in self.mechanisms for noise in mechanism.noises)

    def descendants(self, name: str) -> tuple[str, ...]:
        """The descendants of `name`, in causal order."""
        found = reachable(name, self.edges)
        return tuple(other for other in self.order if other in found)

    @property
    def trials(self) -> dict[str, list[float]]:
        """Up to 500 draws of each variable with a fixed seed; NaN if an equation is undefined."""
        return self._drawn[1]

    def trial_noise(self, name: str, index: int) -> list[float]:
        """The noise of one variable in one of `trials`."""
        first, stop = self.noise_columns[name]
        return self._drawn[0][index][first:stop]

    @cached_property
    def _drawn(self) -> tuple[list[list[float]], dict[str, list[float]]]:
        """The noise of each trial, and the values of the variables."""
        generator = random.Random(_SEED)  # noqa: S311
        noises: list[list[float]] = []
        found: dict[str, list[float]] = {name: [] for name in self.names}
        work = sum(_work(mechanism.term) for mechanism in self.mechanisms)
        trials = min(max(_TRIAL_VALUES // len(self.names), _TRIALS[0]), _TRIALS[1])
        for _ in range(min(trials, max(_TRIAL_WORK // work, _FEWEST_TRIALS))):
            noise = [_draw(kind, generator) for kind in self.noises]
            noises.append(noise)
            values: dict[str, float] = {}
            for name in self.order:
                first, stop = self.noise_columns[name]
                values[name] = float(self.by_name[name].value(values, noise[first:stop], SCALAR))
                found[name].append(values[name])
        return noises, found

    @cached_property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of each variable; see `range_of`."""
        return {name: self.range_of(name) for name in self.names}

    def range_of(self, name: str) -> tuple[float, float]:
        """Lowest and highest value of a variable.

        The range in the spec or that of the levels, if any. For a variable without parents and with one noise, its
        values at the ends of the noise (three standard deviations from the mean for a normal). Otherwise the extremes
        of `trials`, rounded outward to two digits of their difference.
        """
        mechanism = self.by_name[name]
        if mechanism.bounds is not None:
            return mechanism.bounds
        if mechanism.values:
            return min(mechanism.values), max(mechanism.values)
        seen = [value for value in self.trials[name] if math.isfinite(value)] or [0.0]
        if not mechanism.parents and len(mechanism.noises) == 1 and mechanism.noises[0].kind in _CORNERS:
            ends = [mechanism.value({}, [corner], SCALAR) for corner in _CORNERS[mechanism.noises[0].kind]]
            inside = sum(min(ends) <= value <= max(ends) for value in seen)
            if all(math.isfinite(end) for end in ends) and inside >= 0.99 * len(seen):
                return float(min(ends)), float(max(ends))
        return _round_outward(min(seen), max(seen))

    def moments_of(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation (1 if it is 0) of a variable over `trials`."""
        values = self.trials[name]
        mean = math.fsum(values) / len(values)
        sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
        return mean, sd or 1.0


def _work(term: Term) -> int:
    """Number of operations to evaluate a term."""
    parts = (sum(map(len, part.values)) + 1 if isinstance(part, Lookup) else 1 for part in walk(term))
    return sum(parts)


def _draw(noise: Noise, generator: random.Random) -> float:
    if noise.kind == "normal":
        return generator.gauss(0.0, 1.0)
    return generator.random() if noise.kind == "uniform" else generator.gammavariate(noise.shape, 1.0)


def _round_outward(low: float, high: float) -> tuple[float, float]:
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return low, high
    digits = 1 - math.floor(math.log10(span))
    step = 10.0**-digits
    # Rounded again, so that 0.3 is exactly 0.3.
    return round(math.floor(low / step) * step, digits), round(math.ceil(high / step) * step, digits)
