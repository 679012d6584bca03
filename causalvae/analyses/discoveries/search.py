"""The search for the smallest circuit that carries an effect: forward from nothing, then backward within the band.

Forward from nothing and not backward from everything: with an inhibitor among the candidates, taking candidates away
one by one ends in a circuit that is no smallest one in half of the cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import (
    BoolArray,
    CircuitEffects,
    Evaluate,
    FloatArray,
    IntArray,
    one,
)
from causalvae.analyses.discoveries.section import ScoreName

# What the search asks for beyond the share that is tested: the other pairs give less than those that it chose on.
SLACK = 0.05
# A circuit's pairwise fit must reach this part of the share, as a claim's must.
_FIT = 0.7
# How far above 1 a share may lie, less the slack.
_OVERSHOOT = 0.3 - SLACK
# Of more candidates than this, this many of the best are tried alone at each step.
BEAM = 16
_ALL = 32
# A candidate alone counts as progress from this gain of |1 - f| on.
_GAIN = 0.01
# Members of which the best to take away is looked for each time; of more, several go at once.
_SINGLY = 24
# Steps of a search on fewer pairs that add one candidate.
_SINGLES = 4
# Scores whose circuits are pruned on all pairs, of those that were searched on fewer.
_REFINED = 2


@dataclass(frozen=True)
class Target:
    """Which circuits carry an effect.

    Parameters
    ----------
    share : float
        The share that the circuit is tested against, in (0, 1).
    """

    share: float = 0.8

    @property
    def sought(self) -> float:
        """The share that the search prunes to."""
        return min(self.share + SLACK, (1 + self.share) / 2)

    def admits(self, effects: CircuitEffects) -> BoolArray:
        """Which circuits lie within the band: |1 - f| <= 1 - sought, f at most 1.25, and 1 - D^2 >= 0.7 sought."""
        share = effects.share
        near = (share >= self.sought) & (share <= 1 + min(1 - self.sought, _OVERSHOOT))
        return np.asarray(near & (1 - effects.error**2 >= _FIT * self.sought))


@dataclass(frozen=True)
class FoundCircuit:
    """A circuit that a search ended with.

    Parameters
    ----------
    score : str
        The score that ordered the candidates.
    members : bool array, shape (candidates,)
    share, error : float
        f and D on the pairs that it was found on.
    """

    score: ScoreName
    members: BoolArray
    share: float
    error: float

    @property
    def size(self) -> int:
        """Number of members."""
        return int(self.members.sum())


def rank(score: FloatArray) -> IntArray:
    """Candidates by the size of their score, largest first; an undefined score is the least."""
    return np.argsort(-np.nan_to_num(np.abs(score), nan=-1.0), kind="stable")


def search(
    evaluate: Evaluate, scores: Mapping[ScoreName, FloatArray], target: Target, rough: Evaluate | None = None
) -> tuple[FoundCircuit, ...]:
    """A circuit from each score, the smallest first; of those alike in size, the one with the least D.

    Parameters
    ----------
    evaluate : callable
    scores : mapping
        Name -> a score of each candidate, shape (candidates,); only the order of their sizes counts.
    target : Target
    rough : callable, optional
        The same on fewer pairs. With it every score is searched on these, and the two smallest circuits are completed
        and pruned on all pairs.
    """
    orders = {name: rank(score) for name, score in scores.items()}
    if rough is None:
        begun = {name: grow(evaluate, order, target) for name, order in orders.items()}
    else:
        begun = {
            name: _shrink_blocks(rough, grow(rough, order, target, singles=_SINGLES), order, target)
            for name, order in orders.items()
        }
        smallest = sorted(begun, key=lambda name: int(begun[name].sum()))[:_REFINED]
        begun = {name: grow(evaluate, orders[name], target, begun[name]) for name in smallest}
    found = []
    for name, members in begun.items():
        members = shrink(evaluate, members, orders[name], target, blocks=rough is None)
        effects = evaluate(one(members))
        found.append(FoundCircuit(name, members, float(effects.share[0]), float(effects.error[0])))
    return tuple(sorted(found, key=lambda circuit: (circuit.size, circuit.error)))


def grow(
    evaluate: Evaluate, order: IntArray, target: Target, start: BoolArray | None = None, singles: int | None = None
) -> BoolArray:
    """Add candidates until the circuit lies within the band.

    Each step tries the best of the order alone, and blocks of the first 2, 4, 8, ... of it, which find what works only
    together. It takes the one candidate that brings f nearest to 1, where one brings it nearer; else the smallest block
    within the band, or the block that brings f nearest. After `singles` steps only blocks are tried.
    """
    members = np.zeros(len(order), dtype=bool) if start is None else start
    effects = evaluate(one(members))
    steps = 0
    while not target.admits(effects)[0] and not members.all():
        left = order[~members[order]]
        alone = left if len(order) <= _ALL else left[:BEAM]
        if singles is not None and steps >= singles:
            alone = left[:1]
        steps += 1
        sizes = [size for size in (2**power for power in range(1, 32)) if size < len(left)] + [len(left)]
        blocks = [left[:size] for size in sizes]
        trials = np.repeat(members[None], len(alone) + len(blocks), axis=0)
        for row, candidate in enumerate(alone):
            trials[row, candidate] = True
        for row, block in enumerate(blocks, start=len(alone)):
            trials[row, block] = True
        found = evaluate(trials)
        members = trials[_choose(found, effects, len(alone), target, singles is not None and steps > singles)]
        effects = evaluate(one(members))
    return members


def _choose(found: CircuitEffects, now: CircuitEffects, alone: int, target: Target, in_blocks: bool) -> int:
    """Which trial is taken; the first `alone` add one candidate, the others ever larger blocks."""
    # Once f is near 1, what is wrong with a circuit is its fit.
    is_near = abs(1 - now.share[0]) <= 1 - target.sought
    distance = found.error if is_near else np.abs(1 - found.share)
    reached = now.error[0] if is_near else abs(1 - now.share[0])
    within = target.admits(found)
    if within[:alone].any():
        return int(np.where(within[:alone], distance[:alone], np.inf).argmin())
    best = int(distance[:alone].argmin())
    if distance[best] < reached - _GAIN and not in_blocks:
        return best
    if within.any():
        return int(within.argmax())
    return alone + int(distance[alone:].argmin())


def shrink(evaluate: Evaluate, members: BoolArray, order: IntArray, target: Target, blocks: bool = True) -> BoolArray:
    """Take members away while the circuit stays within the band, until none of them can go alone.

    Of a few members the one goes first without which D is least. Of many, blocks from the end of the order go first
    unless `blocks` is false, then each that can still go, by the D without it alone.
    """
    members = members.copy()
    if blocks and members.sum() > _SINGLY:
        members = _shrink_blocks(evaluate, members, order, target)
    while members.any():
        present = np.flatnonzero(members)
        trials = np.repeat(members[None], len(present), axis=0)
        trials[np.arange(len(present)), present] = False
        found = evaluate(trials)
        within = target.admits(found)
        if not within.any():
            break
        ways = [int(row) for row in np.argsort(found.error, kind="stable") if within[row]]
        members = trials[ways[0]]
        if len(present) <= _SINGLY:
            continue
        for row in ways[1:]:
            fewer = members.copy()
            fewer[present[row]] = False
            if target.admits(evaluate(one(fewer)))[0]:
                members = fewer
    return members


def _shrink_blocks(evaluate: Evaluate, members: BoolArray, order: IntArray, target: Target) -> BoolArray:
    """Take members away from the end of the order, twice as many after each success, a quarter after each failure."""
    waiting = [int(candidate) for candidate in order[::-1] if members[candidate]]
    size = max(1, len(waiting) // 4)
    while waiting:
        block = waiting[:size]
        trial = members.copy()
        trial[block] = False
        if target.admits(evaluate(one(trial)))[0]:
            members = trial
            waiting = waiting[len(block) :]
            size *= 2
        elif len(block) == 1:
            waiting = waiting[1:]
        else:
            size = max(1, len(block) // 4)
    return members
