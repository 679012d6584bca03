"""Costs of rows, to estimate the remaining time: patches of late layers re-run less of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import arm_cost, inner_cost
from causalvae.plan.relays import inner_runs, is_relayed
from causalvae.plan.types import OUTPUT, Arm, Plan

OnRows = Callable[[int, float], None]


def ignore_rows(rows: int, effort: float) -> None:
    """Do nothing."""


def effort(arm: Arm, plan: Plan, components: ComponentMap) -> float:
    """The cost of a row of an arm, in forward passes; 0 for clean rows, which are copied.

    Inner runs shared by several arms are counted for each.
    """
    if not arm.patches:
        return 0.0
    outer = arm_cost(arm, components, plan.options.rerun, OUTPUT in plan.outputs)
    return outer + _inner_effort(arm, plan, components)


def mean_effort(arms: Sequence[Arm], rows: Sequence[int], plan: Plan, components: ComponentMap) -> float:
    """Mean cost of a row of arms that patch the same sites; `rows` is the number of rows of each arm."""
    relayed = [(arm, count) for arm, count in zip(arms, rows, strict=True) if is_relayed(arm.patches)]
    if not arms[0].patches or not relayed:
        return effort(arms[0], plan, components)
    outer = arm_cost(arms[0], components, plan.options.rerun, OUTPUT in plan.outputs)
    return outer + sum(count * _inner_effort(arm, plan, components) for arm, count in relayed) / sum(rows)


def _inner_effort(arm: Arm, plan: Plan, components: ComponentMap) -> float:
    return sum(inner_cost(run, components, plan.options.rerun) for run in inner_runs([arm]))


class Extents:
    """Numbers of rows and their costs, in total and in a range of pairs.

    Parameters
    ----------
    arms : mapping
        Cohort -> its arms.
    plan, components
        The plan and the network, which determine costs.
    """

    def __init__(self, arms: Mapping[str, Sequence[Arm]], plan: Plan, components: ComponentMap) -> None:
        kinds: dict[tuple[object, ...], float] = {}
        self._arms: dict[str, list[tuple[int, float]]] = {}
        for cohort, members in arms.items():
            listed = self._arms.setdefault(cohort, [])
            for arm in members:
                kind = tuple((patch.site, patch.source.upstream) for patch in arm.patches)
                if kind not in kinds:
                    kinds[kind] = effort(arm, plan, components)
                listed.append((arm.pairs, kinds[kind]))

    @property
    def total(self) -> tuple[int, float]:
        """Total number of rows and their cost."""
        every = [item for listed in self._arms.values() for item in listed]
        return sum(pairs for pairs, _ in every), sum(pairs * each for pairs, each in every)

    def within(self, cohort: str, first: int, stop: int) -> tuple[int, float]:
        """Number of rows of the pairs from `first` to `stop` of a cohort, and their cost."""
        covered = [(max(0, min(pairs, stop) - first), each) for pairs, each in self._arms[cohort]]
        return sum(rows for rows, _ in covered), sum(rows * each for rows, each in covered)


class Finished:
    """Reports finished rows of a group; skipped rows are distributed evenly among those that are run.

    Reported together at the end, skipped rows would make the work seem fast whenever a group ends.

    Parameters
    ----------
    rows, live : int
        Number of rows of the group, and of those that are run.
    each : float
        Cost of a row.
    tell : callable
        Called with the number of finished rows and their cost.
    """

    def __init__(self, rows: int, live: int, each: float, tell: OnRows) -> None:
        self._rows = rows
        self._live = live
        self._each = each
        self._tell = tell
        self._run = 0
        self._told = 0

    def __call__(self, run: int) -> None:
        """Count `run` further rows."""
        self._run += run
        self._advance(self._rows * self._run // self._live)

    def rest(self) -> None:
        """Report all remaining rows."""
        self._advance(self._rows)

    def _advance(self, rows: int) -> None:
        self._tell(rows - self._told, (rows - self._told) * self._each)
        self._told = rows
