"""The multiverse of a hypothesis: the ways of patching its circuit that could as well have been chosen.

A small one after Steegen et al. 2016 (doi 10.1177/1745691616658637): where a conclusion depends on an arbitrary choice,
a reader must know. Every way here estimates the same share where the network is additive:

- the other side of the pair (the claim's own arms), denoising and noising;
- another pair in which the treated factor has the other side's value, denoising and noising: if the circuit carries the
  factor and not that sample, it does not matter whose value it is;
- any other pair's value, the same in both runs: what is left of the treatment's effect then does not go through the
  circuit (a controlled direct effect, averaged over values).
"""

from __future__ import annotations

from causalvae.plan.types import Side
from causalvae.spec.value_source import ValueSource, make_source

# Pairs of each further way: an eighth of the cohort's, at most this many, and none where that says nothing. Four ways
# and three sets of donors are then less than a quarter of the four runs of every pair that the claim itself takes.
_MOST_PAIRS = 64
_FEWEST_PAIRS = 8


def variant_pairs(samples: int) -> int:
    """How many pairs each further way is run on, of a cohort of `samples`; 0 where there are too few."""
    pairs = min(_MOST_PAIRS, samples // 8)
    return pairs if pairs >= _FEWEST_PAIRS else 0


def ways_of_patching(factor: str | None, seed: int) -> list[tuple[ValueSource, Side]]:
    """Sources and sides other than the claim's own; a swap of whole samples has no factor that pairs could share."""
    shared = [] if factor is None else [make_source("interchange", seed=seed, given=factor)]
    sides: tuple[Side, Side] = ("base", "counterfactual")
    return [(source, side) for source in (*shared, make_source("resample", seed=seed)) for side in sides]
