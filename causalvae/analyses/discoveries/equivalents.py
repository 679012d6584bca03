"""Other circuits that carry the effect as well: all minimal ones where they can be run, else those one swap away."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final, Literal

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray, Evaluate, IntArray
from causalvae.analyses.discoveries.search import Target

# Of at most this many candidates all sets are run, smallest first.
MOST_CANDIDATES: Final = 12
# How much larger than the found circuit a minimal one may be to be looked for.
_LARGER: Final = 2
# Sets that are run at most, and at once.
MOST_SETS: Final = 2048
_BATCH = 256
# Candidates that are put in a member's place, the best first, and exchanges in all.
_SWAPS: Final = 24
_MOST_SWAPS: Final = 240


@dataclass(frozen=True)
class Equivalents:
    """Minimal circuits: each lies within the band, and no smaller circuit inside it does.

    Parameters
    ----------
    circuits : tuple of bool array, shape (candidates,)
        The smallest first; the one that they are compared with is not taken out.
    how : {"all", "swaps"}
        Whether all sets were tried, or the found circuit with one member exchanged.
    largest : int
        Of ``all``: every set of at most this many candidates was tried, or holds one that is listed. Of ``swaps``:
        candidates that were tried in each member's place.
    runs : int
        Circuits that were tried.
    """

    circuits: tuple[BoolArray, ...]
    how: Literal["all", "swaps"]
    largest: int
    runs: int

    def of_size(self, size: int) -> int:
        """How many of them have this many members."""
        return sum(int(circuit.sum()) == size for circuit in self.circuits)


def find_equivalents(
    evaluate: Evaluate, circuit: BoolArray, order: IntArray, target: Target, rough: Evaluate | None = None
) -> Equivalents:
    """Minimal circuits other than `circuit`.

    Parameters
    ----------
    evaluate : callable
    circuit : bool array, shape (candidates,)
        Within the band.
    order : int array, shape (candidates,)
        Candidates, the best first.
    target : Target
    rough : callable, optional
        The same on fewer pairs: what does not do on these is not run on all.
    """
    if len(circuit) <= MOST_CANDIDATES:
        return _try_all(evaluate, len(circuit), int(circuit.sum()) + _LARGER, target)
    return _try_swaps(evaluate, circuit, order, target, rough or evaluate)


def _try_all(evaluate: Evaluate, candidates: int, most: int, target: Target) -> Equivalents:
    """All sets of up to `most` members by size, without those that hold a smaller circuit."""
    minimal: list[BoolArray] = []
    runs, largest = 0, -1
    for size in range(min(most, candidates) + 1):
        sets = (_indicator(chosen, candidates) for chosen in combinations(range(candidates), size))
        fresh = [one for one in sets if not any((one >= smaller).all() for smaller in minimal)]
        if runs + len(fresh) > MOST_SETS:
            break
        found: list[BoolArray] = []
        waiting = iter(fresh)
        while batch := list(islice(waiting, _BATCH)):
            tried = np.stack(batch)
            found += list(tried[target.admits(evaluate(tried))])
        minimal += found
        runs += len(fresh)
        largest = size
    return Equivalents(tuple(minimal), "all", largest, runs)


def _try_swaps(evaluate: Evaluate, circuit: BoolArray, order: IntArray, target: Target, rough: Evaluate) -> Equivalents:
    """The circuit, and each one in which a candidate takes a member's place."""
    members = np.flatnonzero(circuit)
    most = min(_SWAPS, max(2, _MOST_SWAPS // max(1, len(members))))
    others = [int(candidate) for candidate in order if not circuit[candidate]][:most]
    swaps = []
    for member in members:
        for other in others:
            swapped = circuit.copy()
            swapped[member], swapped[other] = False, True
            swaps.append(swapped)
    found = [circuit]
    for first in range(0, len(swaps), _BATCH):
        tried = np.stack(swaps[first : first + _BATCH])
        tried = tried[target.admits(rough(tried))]
        found += list(tried[target.admits(evaluate(tried))] if len(tried) else tried)
    return Equivalents(tuple(found), "swaps", len(others), len(swaps))


def _indicator(chosen: tuple[int, ...], candidates: int) -> BoolArray:
    members = np.zeros(candidates, dtype=bool)
    members[list(chosen)] = True
    return members
