"""Whether every member of a circuit is needed, and what is redundant in it.

A member is needed if the relative error grows by more than a margin without it. The share itself would not do: it rises
when an inhibiting member is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from causalvae.circuits.gaps import Gaps, measure_gaps
from causalvae.circuits.table import CircuitTable, units_of
from causalvae.circuits.types import Circuit, MemberLoss, Minimality, Needed, Part
from causalvae.effects.bootstrap import PairedBootstrap, paired_bootstrap
from causalvae.plan.types import ClaimDesign
from causalvae.spec.schema import Hypothesis

Units = frozenset[tuple[str, int | None]]


def loss_margin(members: int) -> float:
    """What a member of this many must add: a third of an equal part, within 0.02 and 0.05."""
    return min(0.05, max(0.02, 1 / (3 * members)))


def examine_members(
    table: CircuitTable | None,
    hypothesis: Hypothesis,
    design: ClaimDesign,
    bootstrap: PairedBootstrap | None,
    sets: CircuitTable | None = None,
) -> Minimality | None:
    """Take the members away one at a time.

    Parameters
    ----------
    table : CircuitTable or None
        None where the treatment changes nothing.
    hypothesis : Hypothesis
    design : ClaimDesign
    bootstrap : PairedBootstrap or None
        Over the table's pairs.
    sets : CircuitTable, optional
        Every smaller set of many members, on fewer pairs: these are not among the table's parts.

    Returns
    -------
    Minimality or None
        None where there are no members to take away, or the claim is not that they carry anything.
    """
    members = design.members
    if table is None or bootstrap is None or len(members) < 2 or not table.parts or not hypothesis.claims_to_carry:
        return None
    margin = loss_margin(len(members))
    places = {units_of(table.circuits[row]): k for k, row in enumerate(table.parts)}
    gaps = measure_gaps(table, table.parts, margin, bootstrap)
    losses = []
    for member in members:
        rest = _units([other for other in members if other != member])
        if rest in places:
            losses.append(_loss(member, gaps, places[rest], hypothesis.alpha))
    useless = [loss.member for loss in losses if loss.status == "useless"]
    inner, inner_gaps, is_complete = table, gaps, design.subsets
    if not design.subsets and sets is not None and design.enumerated:
        own = _units(members)
        inner = replace(sets, parts=tuple(row for row in sets.subsets if units_of(sets.circuits[row]) < own))
        # Their estimates alone are told, so that one resample will do.
        one = paired_bootstrap(len(sets.total), 1, bootstrap.confidence, bootstrap.seed)
        inner_gaps, is_complete = measure_gaps(inner, inner.parts, margin, one), True
        places = {units_of(inner.circuits[row]): k for k, row in enumerate(inner.parts)}
    return Minimality(
        judged=hypothesis.judges_minimal,
        margin=margin,
        members=tuple(losses),
        p_minimal=max(loss.p_needed for loss in losses),
        p_not_minimal=min(1.0, len(losses) * min(loss.p_useless for loss in losses)),
        without_useless=_without(members, useless, places, inner_gaps, inner),
        smallest=_smallest(inner, inner_gaps, margin) if is_complete else (),
        confidence=bootstrap.confidence,
        pairs=table.pairs,
    )


def _units(members: Sequence[Part]) -> Units:
    """The units of some members; a site that one of them takes whole counts once."""
    found = units_of(tuple(members))
    return frozenset((site, unit) for site, unit in found if unit is None or (site, None) not in found)


def _loss(member: Part, gaps: Gaps, k: int, alpha: float) -> MemberLoss:
    worst = int(np.nan_to_num(gaps.values[:, k], nan=-np.inf).argmax())
    p_needed, p_useless = float(gaps.p_worse[k]), float(gaps.p_as_well[k])
    status: Needed = "needed" if p_needed <= alpha else "useless" if p_useless <= alpha else "undecided"
    value, lower, upper = (float(column[worst, k]) for column in (gaps.values, gaps.lower, gaps.upper))
    return MemberLoss(member, value, lower, upper, p_needed, p_useless, status)


def _without(
    members: Sequence[Part], useless: Sequence[Part], places: dict[Units, int], gaps: Gaps,
    table: CircuitTable,
) -> float | None:  # fmt: skip
    """How much the relative error grows without all useless members at once."""
    if len(useless) < 2:
        return None
    rest = [member for member in members if member not in useless]
    if not rest:
        # Nothing is patched: all of the effect is missing.
        return max(1 - (table.error(measure, 0) or 0.0) for measure in table.measures)
    k = places.get(_units(rest))
    return None if k is None else float(gaps.largest[k])


def _smallest(table: CircuitTable, gaps: Gaps, margin: float) -> tuple[Circuit, ...]:
    """The parts within the margin of the circuit that hold no smaller such part, the smallest first."""
    good = {
        units_of(table.circuits[row]): row
        for row, gap in zip(table.parts, gaps.largest, strict=True)
        if np.isfinite(gap) and gap <= margin
    }
    least = [units for units in good if not any(other < units for other in good)]
    return tuple(table.circuits[good[units]] for units in sorted(least, key=len))
