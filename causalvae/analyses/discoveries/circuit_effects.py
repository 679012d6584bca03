"""What circuits do, pair by pair, and how far each is from carrying the whole effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CircuitEffects:
    """The effects of some circuits on the same pairs.

    Parameters
    ----------
    along : float array, shape (circuits, n)
        <NIE, TE> of each pair, in squared units of the outcome.
    square : float array, shape (circuits, n)
        ||NIE||^2.
    total : float array, shape (n,)
        ||TE||^2.

    Notes
    -----
    A run whose outcome is undefined carries nothing of its pair's effect: ``along`` and ``square`` are zero there.
    """

    along: FloatArray
    square: FloatArray
    total: FloatArray

    @property
    def share(self) -> FloatArray:
        """F = sum <NIE, TE> / sum ||TE||^2, shape (circuits,); NaN where nothing changes."""
        return _ratio(self.along.sum(axis=1), self.total.sum())

    @property
    def lost(self) -> FloatArray:
        """||TE - NIE||^2, shape (circuits, n)."""
        return np.maximum(self.total - 2 * self.along + self.square, 0.0)

    @property
    def error(self) -> FloatArray:
        """The relative error D = sqrt(sum ||TE - NIE||^2 / sum ||TE||^2), shape (circuits,)."""
        return np.asarray(np.sqrt(_ratio(self.lost.sum(axis=1), self.total.sum())))

    def on(self, pairs: IntArray) -> CircuitEffects:
        """The same circuits on some of the pairs."""
        return CircuitEffects(self.along[:, pairs], self.square[:, pairs], self.total[pairs])

    def of(self, circuits: IntArray | list[int]) -> CircuitEffects:
        """Some of the circuits."""
        return CircuitEffects(self.along[circuits], self.square[circuits], self.total)


# From circuits, (circuits, candidates), each candidate in it or not, to their effects. The same pairs in every call.
Evaluate = Callable[[BoolArray], CircuitEffects]


class Remembered:
    """An `Evaluate` that runs each circuit once.

    Parameters
    ----------
    evaluate : callable
    candidates : int

    Attributes
    ----------
    runs : int
        Circuits that were run.
    """

    def __init__(self, evaluate: Evaluate, candidates: int) -> None:
        self._evaluate = evaluate
        self.candidates = candidates
        self.runs = 0
        self._known: dict[bytes, tuple[FloatArray, FloatArray]] = {}
        self._total: FloatArray | None = None

    def __call__(self, circuits: BoolArray) -> CircuitEffects:
        """The effects of the circuits, shape (circuits, candidates), in their order."""
        keys = [np.packbits(circuit).tobytes() for circuit in circuits]
        missing = {key: place for place, key in enumerate(keys) if key not in self._known}
        if missing:
            found = self._evaluate(circuits[list(missing.values())])
            self._total = found.total
            self.runs += len(missing)
            for key, along, square in zip(missing, found.along, found.square, strict=True):
                self._known[key] = (along, square)
        if self._total is None:
            raise ValueError("no circuit was asked for")
        along, square = zip(*(self._known[key] for key in keys), strict=True)
        return CircuitEffects(np.stack(along), np.stack(square), self._total)

    def on(self, pairs: IntArray) -> Evaluate:
        """The same on some of the pairs; what is run is run, and remembered, on all."""
        return lambda circuits: self(circuits).on(pairs)


def one(circuit: BoolArray) -> BoolArray:
    """One circuit as a stack of one."""
    return circuit[None]


def _ratio(top: FloatArray, bottom: float) -> FloatArray:
    return np.asarray(top / bottom) if bottom > 0 else np.full_like(top, np.nan)
