"""How often each candidate is found on half of the pairs.

Halves and not the pairs without a few: omitting 5 to 10 % calls an arbitrary one of 15 exchangeable candidates
stable in 29 to 68 % of runs, halves in 1 % (cf. Meinshausen & Buehlmann 2010, "Stability selection", JRSS B 72).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray, Evaluate, FloatArray, IntArray
from causalvae.analyses.discoveries.search import Target, search
from causalvae.analyses.discoveries.section import ScoreName

STABLE_FROM: Final = 0.9


def find_stability(
    on: Callable[[IntArray], Evaluate],
    scores: Callable[[IntArray], Mapping[ScoreName, FloatArray]],
    target: Target,
    pairs: int,
    halves: int,
    seed: int,
    in_blocks: bool = False,
) -> tuple[FloatArray, tuple[BoolArray, ...]]:
    """Search again on random halves of the pairs.

    Parameters
    ----------
    on : callable
        From positions of pairs to an `Evaluate` on these.
    scores : callable
        From positions of pairs to the scores that these give, as `search` takes them.
    target : Target
    pairs : int
    halves : int
        How many halves are drawn; each without replacement.
    seed : int
    in_blocks : bool
        Whether candidates are added in blocks after a few single ones, as a search among many does on its first pairs.

    Returns
    -------
    float array, shape (candidates,)
        The share of halves whose circuit has each candidate.
    tuple of bool array, shape (candidates,)
        The circuit of each half.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(halves):
        half = np.sort(rng.choice(pairs, pairs // 2, replace=False))
        evaluate = on(half)
        found.append(search(evaluate, scores(half), target, evaluate if in_blocks else None)[0].members)
    return np.asarray(np.mean(found, axis=0)), tuple(found)
