"""What arms change of one outcome, pair by pair, each change one number.

Of an attribute that is the difference of its values, wrapped where it has a period. Of an outcome with several numbers
(a vector of attributes, an image) it is the component along the outcome's total change, <change, TE> / ||TE|| with
TE = Y(x') - Y(x): changes then still add up, the total change is its own length, and products with it are inner
products, so that a share sum <NIE, TE> / sum <TE, TE> is computed as that of an attribute is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.notes import Note, Notes
from causalvae.effects.outcomes import IMAGE, ROUNDING, Outcomes, difference, near
from causalvae.effects.scale import Vector


class Changes(Protocol):
    """Changes of one outcome under one treatment.

    Attributes
    ----------
    along : tuple of Note
        What a change is the component along; empty where it is a plain difference.
    """

    along: Notes

    def total(self, pairs: int) -> FloatArray:
        """The total change of each of the first `pairs` pairs, shape (pairs,); never negative where `along` is set."""
        ...

    def between(self, arms: Sequence[str], start: str, pairs: int) -> FloatArray:
        """The change from the arm `start` to each of `arms`, shape (arms, pairs); NaN where it is undefined."""
        ...

    def carried(self, arms: Sequence[str], pairs: int, *, removed: bool = False) -> FloatArray:
        """What each arm carries of the total change, or removes of it, shape (arms, pairs); for products with it.

        The change from x to each arm, or with `removed` from each arm to x', on a circle counted from the total change
        the short way round.
        """
        ...

    def squares(self, arms: Sequence[str], pairs: int) -> tuple[FloatArray, FloatArray]:
        """How far each arm's outcome lies from both clean ones, squared: two arrays of shape (arms, pairs).

        ||Y(x') - Y(arm)||^2, and ||Y(arm) - Y(x)||^2; of several numbers all of the distance, not the part of it along
        the total change.
        """
        ...


def changes_of(
    outcomes: Outcomes,
    base: str,
    counterfactual: str,
    outcome: str,
    period: float | None = None,
    vector: Vector | None = None,
) -> Changes:
    """The changes of an outcome.

    Parameters
    ----------
    outcomes : Outcomes
    base, counterfactual : str
        Ids of the clean arms.
    outcome : str
        Attribute, ``image``, or a vector's name.
    period : float, optional
        The attribute's period.
    vector : Vector, optional
        What the outcome is, where it is a vector.
    """
    if vector is not None:
        return VectorChanges(outcomes, base, counterfactual, vector)
    if outcome == IMAGE:
        return ImageChanges(outcomes, base, counterfactual)
    return AttributeChanges(outcomes, base, counterfactual, outcome, period)


class AttributeChanges:
    """Differences of an attribute."""

    along: Notes = ()

    def __init__(
        self, outcomes: Outcomes, base: str, counterfactual: str, attribute: str, period: float | None = None
    ) -> None:
        self._outcomes, self.base, self.counterfactual = outcomes, base, counterfactual
        self._attribute, self._period = attribute, period

    def total(self, pairs: int) -> FloatArray:
        """Y(x') - Y(x), shape (pairs,)."""
        return np.asarray(self.between((self.counterfactual,), self.base, pairs)[0])

    def between(self, arms: Sequence[str], start: str, pairs: int) -> FloatArray:
        """See `Changes`."""
        first = self._outcomes.values(start, self._attribute, pairs)
        return difference(self._outcomes.block(arms, self._attribute, pairs), first[None], self._period)

    def carried(self, arms: Sequence[str], pairs: int, *, removed: bool = False) -> FloatArray:
        """See `Changes`."""
        change = _carried(self, arms, pairs, removed)
        return change if self._period is None else near(change, self.total(pairs)[None], self._period)

    def squares(self, arms: Sequence[str], pairs: int) -> tuple[FloatArray, FloatArray]:
        """See `Changes`."""
        return self.between(arms, self.counterfactual, pairs) ** 2, self.between(arms, self.base, pairs) ** 2


class VectorChanges:
    """Components of a vector's changes along its total change, each part wrapped and divided on its own."""

    def __init__(self, outcomes: Outcomes, base: str, counterfactual: str, vector: Vector) -> None:
        self._base, self._counterfactual = base, counterfactual
        self._parts = [
            (AttributeChanges(outcomes, base, counterfactual, name, period), divisor)
            for name, period, divisor in zip(vector.components, vector.periods, vector.divisors, strict=True)
        ]
        self.along: Notes = vector.along
        self._least = ROUNDING * (1.0 if vector.sd is None else vector.sd)

    def total(self, pairs: int) -> FloatArray:
        """||TE||, shape (pairs,); zero where it is rounding, whose direction would be noise."""
        length = np.sqrt((self._total_parts(pairs) ** 2).sum(axis=0))
        return np.where(length <= self._least, 0.0, length)

    def between(self, arms: Sequence[str], start: str, pairs: int) -> FloatArray:
        """See `Changes`; zero where the total change is zero."""
        return self._along(lambda changes: changes.between(arms, start, pairs), pairs)

    def carried(self, arms: Sequence[str], pairs: int, *, removed: bool = False) -> FloatArray:
        """See `Changes`."""
        return self._along(lambda changes: changes.carried(arms, pairs, removed=removed), pairs)

    def _along(self, change: Callable[[AttributeChanges], FloatArray], pairs: int) -> FloatArray:
        direction = divide_or_zero(self._total_parts(pairs), self.total(pairs)[None])
        # One part at a time: null circuits are hundreds of arms.
        return np.asarray(
            sum(change(changes) / divisor * direction[place] for place, (changes, divisor) in enumerate(self._parts))
        )

    def squares(self, arms: Sequence[str], pairs: int) -> tuple[FloatArray, FloatArray]:
        """See `Changes`."""
        found = [
            tuple(square / divisor**2 for square in changes.squares(arms, pairs)) for changes, divisor in self._parts
        ]
        left, done = (np.asarray(sum(part[end] for part in found)) for end in (0, 1))
        return left, done

    def parts(self, arm: str, start: str, pairs: int) -> FloatArray:
        """The change of every part, shape (components, pairs)."""
        return np.stack([changes.between((arm,), start, pairs)[0] / divisor for changes, divisor in self._parts])

    def _total_parts(self, pairs: int) -> FloatArray:
        return self.parts(self._counterfactual, self._base, pairs)


class ImageChanges:
    """Components of a decoded output's changes along its total change; the tables hold the inner products."""

    along: Notes = (Note("along_output"),)

    def __init__(self, outcomes: Outcomes, base: str, counterfactual: str) -> None:
        self._outcomes, self.base, self.counterfactual = outcomes, base, counterfactual

    def total(self, pairs: int) -> FloatArray:
        """||TE||, shape (pairs,)."""
        return np.asarray(np.sqrt(self._outcomes.values(self.counterfactual, "image_sq", pairs)))

    def between(self, arms: Sequence[str], start: str, pairs: int) -> FloatArray:
        """See `Changes`; zero where the total change is zero."""
        places = np.stack([self._place(arm, pairs) for arm in (start, *arms)])
        return np.asarray(places[1:] - places[0])

    def carried(self, arms: Sequence[str], pairs: int, *, removed: bool = False) -> FloatArray:
        """See `Changes`."""
        return _carried(self, arms, pairs, removed)

    def squares(self, arms: Sequence[str], pairs: int) -> tuple[FloatArray, FloatArray]:
        """See `Changes`; ||a - b||^2 = ||a||^2 - 2 <a, b> + ||b||^2 of changes a and b from the base output."""
        whole = self._outcomes.values(self.counterfactual, "image_sq", pairs)
        done = self._outcomes.block(arms, "image_sq", pairs)
        along = self._outcomes.block(arms, "image_dot", pairs)
        return np.maximum(whole - 2 * along + done, 0.0), done

    def _place(self, arm: str, pairs: int) -> FloatArray:
        """How far from the base output an arm's lies, along the total change."""
        if arm == self.base:
            return np.zeros(pairs)
        total = self.total(pairs)
        if arm == self.counterfactual:
            return total
        return divide_or_zero(self._outcomes.values(arm, "image_dot", pairs), total)


def _carried(changes: AttributeChanges | ImageChanges, arms: Sequence[str], pairs: int, removed: bool) -> FloatArray:
    if removed:
        return -changes.between(arms, changes.counterfactual, pairs)
    return changes.between(arms, changes.base, pairs)


def divide_or_zero(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """``top / bottom``, and zero where `bottom` is zero."""
    result = np.zeros_like(top)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result
