"""What stands between an inconclusive verdict and a settled one."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.circuits.hypothesis import BoundTest
from causalvae.circuits.types import Minimality, Rivals, Subsets
from causalvae.effects.notes import Note
from causalvae.spec.hypothesis_section import FEWEST_PAIRS
from causalvae.spec.schema import Hypothesis


def find_obstacle(
    hypothesis: Hypothesis,
    bounds: Sequence[BoundTest],
    rivals: Rivals | None,
    minimality: Minimality | None,
    needed: int | None,
    p_values: tuple[float, float],
    pairs: int,
    subsets: Subsets | None = None,
) -> Note:
    """The first obstacle, from the plainest on.

    Parameters
    ----------
    hypothesis : Hypothesis
    bounds : sequence of BoundTest
    rivals : Rivals or None
    minimality : Minimality or None
    needed : int or None
        Pairs that would probably settle the verdict.
    p_values : (float, float)
        For and against everything that is claimed, adjusted across the spec's hypotheses.
    pairs : int
        Pairs of the bound that has the fewest.
    subsets : Subsets, optional
    """
    p_support, p_refute = p_values
    alpha, run = hypothesis.alpha, bounds[0].test.n
    if pairs < FEWEST_PAIRS:
        return Note("too_few_pairs", (pairs, FEWEST_PAIRS))
    if any(bound.test.undefined for bound in bounds):
        return Note("nothing_to_judge")
    if any(bound.outside for bound in bounds):
        return Note("outside_unproven", (run, p_refute, alpha, *(() if needed is None else (needed,))))
    if needed is not None:
        return Note("more_pairs", (needed, run))
    if not all(bound.inside for bound in bounds):
        return Note("just_short", (run,)) if any(bound.needed is not None for bound in bounds) else Note("near_bound")
    if max(bound.test.p_support for bound in bounds) > alpha:
        return Note("inside_unproven", (run, p_support, alpha))
    if rivals is not None and rivals.judged and rivals.p_value is not None and rivals.p_value > alpha:
        return Note("not_special", (rivals.p_value, *((rivals.pairs, run) if 0 < rivals.pairs < run else ())))
    if hypothesis.judges_minimal and minimality is not None and minimality.p_minimal > alpha:
        return Note("not_minimal", (minimality.p_minimal,))
    if hypothesis.judges_unique and subsets is not None and subsets.p_unique > alpha:
        return Note("not_unique", (subsets.p_unique, subsets.pairs))
    return Note("corrected", (p_support, alpha))
