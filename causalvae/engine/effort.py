"""What rows take, so that progress can tell the time left: rows of a late layer are quick, early ones are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import arm_cost, inner_cost
from causalvae.plan.relays import inner_runs, is_relayed
from causalvae.plan.types import OUTPUT, Arm, Plan

OnRows = Callable[[int, float], None]


def ignore_rows(rows: int, effort: float) -> None:
    """Count nothing."""


def effort(arm: Arm, plan: Plan, components: ComponentMap) -> float:
    """What a row of an arm takes, in whole forward passes; a clean row is copied from one that is there anyhow.

    Inner runs that several arms share count for each of them.
    """
    if not arm.patches:
        return 0.0
    outer = arm_cost(arm, components, plan.options.rerun, OUTPUT in plan.outputs)
    return outer + _inner_effort(arm, plan, components)


def mean_effort(arms: Sequence[Arm], rows: Sequence[int], plan: Plan, components: ComponentMap) -> float:
    """What a row of arms that patch the same sites takes on the average, where they cover so many rows."""
    relayed = [(arm, count) for arm, count in zip(arms, rows, strict=True) if is_relayed(arm.patches)]
    if not arms[0].patches or not relayed:
        return effort(arms[0], plan, components)
    outer = arm_cost(arms[0], components, plan.options.rerun, OUTPUT in plan.outputs)
    return outer + sum(count * _inner_effort(arm, plan, components) for arm, count in relayed) / sum(rows)


def _inner_effort(arm: Arm, plan: Plan, components: ComponentMap) -> float:
    return sum(inner_cost(run, components, plan.options.rerun) for run in inner_runs([arm]))


class Extents:
    """How much there is to do: rows and their effort, in all and in a range of pairs.

    Parameters
    ----------
    arms : mapping
        Cohort -> its arms.
    plan, components
        What efforts follow from.
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
        """All rows, and their effort."""
        every = [item for listed in self._arms.values() for item in listed]
        return sum(pairs for pairs, _ in every), sum(pairs * each for pairs, each in every)

    def within(self, cohort: str, first: int, stop: int) -> tuple[int, float]:
        """The rows of the pairs from `first` to `stop` of a cohort, and their effort."""
        covered = [(max(0, min(pairs, stop) - first), each) for pairs, each in self._arms[cohort]]
        return sum(rows for rows, _ in covered), sum(rows * each for rows, each in covered)


class Finished:
    """Tells of a group's rows as they finish, those that need not be run evenly among those that are.

    Told at once at the end, rows that are left out would make the work seem fast whenever a group ends.

    Parameters
    ----------
    rows, live : int
        Rows of the group, and how many of them are run.
    each : float
        Effort of a row.
    tell : callable
    """

    def __init__(self, rows: int, live: int, each: float, tell: OnRows) -> None:
        self._rows = rows
        self._live = live
        self._each = each
        self._tell = tell
        self._run = 0
        self._told = 0

    def __call__(self, run: int) -> None:
        """So many further rows were run."""
        self._run += run
        self._advance(self._rows * self._run // self._live)

    def rest(self) -> None:
        """All rows are done."""
        self._advance(self._rows)

    def _advance(self, rows: int) -> None:
        self._tell(rows - self._told, (rows - self._told) * self._each)
        self._told = rows
