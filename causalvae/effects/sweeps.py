"""Sweeps over activations, some components at a time, so that memory does not grow with how many there are.

Every effect goes to the run's record, which keeps all; of a sweep with more components than results list, the ones that
are strongest on some outcome are listed, and the others are summarised by layer.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.context import EffectContext
from causalvae.effects.effect_matrix import sweep_matrix
from causalvae.effects.metrics import roles_of, share_of
from causalvae.effects.outcomes import output_squares, use_at
from causalvae.effects.screening import direction_of
from causalvae.effects.strength import sweep_effects
from causalvae.effects.sweep_types import (
    ComponentEffects,
    LayerEffect,
    PatchedArm,
    SweepFound,
    SweepSummary,
    UnitColumns,
    UnitTally,
    add_tallies,
    site_of,
    tally_columns,
)
from causalvae.effects.types import Estimate, UnitRole
from causalvae.plan.owner import Owner
from causalvae.plan.targets import Target
from causalvae.plan.types import OUTPUT, Side
from causalvae.spec.value_source import ValueSource

# Components that are analysed together: a multiple of what the bootstrap takes at once.
_COMPONENTS = 1024
_STEP = 128
_SIDES: tuple[Side, ...] = ("base", "counterfactual")
K = TypeVar("K")
# Numbers of one outcome that are held for them.
_HELD = 2_000_000
# Estimates of components that the results of a run list; docs/files.md says what this keeps their size below.
MOST_LISTED = 2_400


def listed_components(sizes: Mapping[K, tuple[int, int]], most: int = MOST_LISTED) -> dict[K, int]:
    """How many components of each sweep results list, so that all together have at most this many estimates.

    Parameters
    ----------
    sizes : mapping
        Sweep -> its components, and the estimates of each.
    most : int
    """
    if sum(components * each for components, each in sizes.values()) <= most:
        return {key: components for key, (components, _) in sizes.items()}
    low, high = 0, max(components for components, _ in sizes.values())
    while low < high:
        level = (low + high + 1) // 2
        if sum(min(components, level) * each for components, each in sizes.values()) <= most:
            low = level
        else:
            high = level - 1
    return {key: min(components, low) for key, (components, _) in sizes.items()}


class Strongest:
    """The components that are largest in some column, of values that come in parts.

    Parameters
    ----------
    most : int
        How many at most, in all columns together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._best: dict[object, tuple[FloatArray, np.ndarray]] = {}

    def add(self, columns: Mapping[Any, FloatArray], first: int, expected: int) -> frozenset[int]:
        """Take the values of some components, the first at `first`, in `expected` columns; gives the positions."""
        each = self._most // max(expected, 1)
        for key, values in columns.items():
            held, places = self._best.get(key, (np.empty(0), np.empty(0, np.int64)))
            values = np.concatenate([held, np.nan_to_num(values, nan=-np.inf)])
            places = np.concatenate([places, np.arange(first, first + len(values) - len(held))])
            order = np.argsort(-values, kind="stable")[:each]
            self._best[key] = values[order], places[order]
        return frozenset(int(place) for _, places in self._best.values() for place in places)


@dataclass
class _Layers:
    """Sums of effects by layer and outcome."""

    sums: dict[tuple[str, str, str, str], list[float]] = field(default_factory=lambda: defaultdict(lambda: [0, 0.0]))
    largest: dict[tuple[str, str, str, str], tuple[float, Target]] = field(default_factory=dict)

    def add(self, sites: Sequence[str], found: ComponentEffects) -> None:
        names = np.asarray(sites)
        for site in dict.fromkeys(sites):
            mine = np.flatnonzero((names == site) & found.known & np.isfinite(found.interval.value))
            if not len(mine):
                continue
            key = site, found.estimand, found.outcome, found.unit
            values = found.interval.value[mine]
            self.sums[key][0] += len(mine)
            self.sums[key][1] += float(values.sum())
            best = int(values.argmax())
            if key not in self.largest or values[best] > self.largest[key][0]:
                self.largest[key] = float(values[best]), found.arms[int(mine[best])].component

    def finish(self) -> tuple[LayerEffect, ...]:
        return tuple(
            LayerEffect(*key, int(count), total / count, *self.largest[key])
            for key, (count, total) in self.sums.items()
        )


def analyse_sweep(
    context: EffectContext, owner: Owner, treatment: str, kind: type[ValueSource]
) -> tuple[SweepFound, ...]:
    """The effects and kinds of the components of an activation sweep, each side that was run; analysed once.

    Parameters
    ----------
    context : EffectContext
        Its `listing` says how many components are listed, and takes all.
    owner : Owner
    treatment : str
        The input intervention that gives the values.
    kind : type
        Of the sweep's patched values.
    """
    listing = context.listing
    if owner not in listing.found:
        arms = {arm.id: arm for arm in context.plan.arms}
        outcomes = sum(name in context.scale.sd for name in context.plan.attributes) + 1
        run = [use for use in context.plan.uses if use.role == "sweep" and use.arm not in context.left_out]
        counts = Counter((use.owner, arms[use.arm].side) for use in run)
        sizes = {key: (count, outcomes) for key, count in counts.items()}
        listed = listed_components(sizes, sys.maxsize if listing.most is None else listing.most)
        sides: list[SweepFound] = []
        for side in _SIDES:
            patched = [PatchedArm.of(use, arms) for use in run if (use.owner, arms[use.arm].side) == (owner, side)]
            if patched:
                sides.append(_analyse_side(context, owner, side, treatment, kind, patched, listed[owner, side]))
        listing.found[owner] = tuple(sides)
    return listing.found[owner]


def _analyse_side(
    context: EffectContext, owner: Owner, side: Side, treatment: str, kind: type[ValueSource],
    patched: Sequence[PatchedArm], most: int,
) -> SweepFound:  # fmt: skip
    record = context.listing.record
    base, counterfactual = (use_at(context.plan, owner, role).arm for role in ("base", "counterfactual"))
    direction = direction_of(side, kind)
    n = context.outcomes.pairs([base, counterfactual, *(arm.arm for arm in patched)])
    strongest, layers, tallies = Strongest(most), _Layers(), list[UnitTally]()
    held: dict[int, tuple[list[Estimate], UnitRole | None]] = {}
    first_units: UnitColumns | None = None
    for first, some in _parts(patched, n):
        effects = _effects(context, owner, (base, counterfactual), some, treatment, direction, n)
        units = _units(context, owner, base if side == "base" else counterfactual, some, treatment, direction, side, n)
        first_units = first_units or units
        if record is not None:
            for found in effects:
                record.effects(found)
            if units is not None:
                record.units(units)
        tallies += tally_columns(units) if units is not None else ()
        if most < len(patched):
            sites = [site_of(arm.component) for arm in some]
            for found in effects:
                layers.add(sites, found)
            columns = {
                (found.estimand, found.outcome): np.where(found.known, found.interval.value, np.nan)
                for found in effects
            }
            wanted = strongest.add(columns, first, len(effects))
            held = {place: mine for place, mine in held.items() if place in wanted}
        else:
            wanted = frozenset(range(first, first + len(some)))
        for place in sorted(wanted):
            if first <= place < first + len(some):
                k = place - first
                mine = [estimate for found in effects if (estimate := found.estimate(k)) is not None]
                held[place] = mine, None if units is None else units.role(k)
    listed = [held[place] for place in sorted(held)]
    summary = None
    if most < len(patched):
        summary = SweepSummary(
            owner, treatment, direction, patched[0].source, len(patched), len(listed), layers.finish(),
            add_tallies(tallies),
        )  # fmt: skip
    return SweepFound(
        tuple(estimate for mine, _ in listed for estimate in mine),
        tuple(role for _, role in listed if role is not None),
        () if first_units is None else share_of(
            context, owner, treatment, patched[0].source, direction, add_tallies(tallies), first_units.first.over, n
        ),
        summary,
    )  # fmt: skip


def _parts(patched: Sequence[PatchedArm], n: int) -> Iterator[tuple[int, Sequence[PatchedArm]]]:
    step = max(_STEP, min(_COMPONENTS, _HELD // max(n, 1) // _STEP * _STEP))
    for first in range(0, len(patched), step):
        yield first, patched[first : first + step]


def _effects(
    context: EffectContext, owner: Owner, clean: tuple[str, str], some: Sequence[PatchedArm], treatment: str,
    direction: str, n: int,
) -> list[ComponentEffects]:  # fmt: skip
    found = sweep_effects(
        context.outcomes, *clean, some, direction, context.bootstrap(n), context.ablation(owner, treatment=treatment),
        context.scale, context.plan.attributes,
    )  # fmt: skip
    # Runs that stop at the latent have no output to speak of.
    return found if OUTPUT in context.plan.outputs else found[:-1]


def _units(
    context: EffectContext, owner: Owner, clean: str, some: Sequence[PatchedArm], treatment: str, direction: str,
    side: Side, n: int,
) -> UnitColumns | None:  # fmt: skip
    matrix = sweep_matrix(
        context.outcomes, clean, some, owner, treatment, direction, context.scale, context.plan.attributes, n
    )  # fmt: skip
    squares = None
    if OUTPUT in context.plan.outputs:
        start = clean if side == "counterfactual" else None
        squares = output_squares(context.outcomes, [arm.arm for arm in some], start, n)
    return roles_of(context, matrix, squares)
