"""What a run will cost, measured on a few rows of every kind before it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import torch

from causalvae.engine.needed_values import needed_values
from causalvae.engine.overheads import (
    ScreenForecast,
    foresee_controls,
    foresee_overheads,
    foresee_screens,
)
from causalvae.engine.packing import pack_for
from causalvae.engine.precision import dtype_of
from causalvae.engine.relays import ends_of
from causalvae.engine.rerun import Shortcuts, group_arms
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import EXACT_CONTROLS, RANDOM_COPY, shard_bounds
from causalvae.engine.trial import Allowance, LiveRows, Trial, Work
from causalvae.engine.values import MIN_ROWS
from causalvae.models.operators import OperatorGraph
from causalvae.plan.cost import inner_operations, plan_cost, rerun_operations
from causalvae.plan.passes.pack import row_bytes
from causalvae.plan.relays import InnerRun, group_inner, inner_runs, is_relayed
from causalvae.plan.types import OUTPUT, Arm, Plan, Side

# Pairs of each cohort that live rows are counted on.
SAMPLE_PAIRS = 16
# Seconds that timing may take: of the plan as it will be run, and of each pass. What is not timed is estimated.
_ALLOWANCE, _ALLOWANCE_EACH = 1.0, 1.0
# Parts and repetitions of what is timed, about.
_RUNS = 6.0

# What makes rows cost the same: suffix, low-rank entry, windows, and what they are run for.
_Way = tuple[bool, bool, bool, tuple[str, ...]]
# What inner runs are run for.
_READ = ("read within",)


@dataclass(frozen=True)
class GroupForecast:
    """Arms, or inner runs of theirs, that re-run the same operations.

    Parameters
    ----------
    cohort, side : str
    sites : tuple of str
        Those patched; of inner runs, in one, the sites that the change passes.
    arms : int
    rows : int
    live : float
        Rows that are expected to be run.
    live_error : float
        Standard error of the expected share of live rows, from the sampled pairs.
    work : mapping of str to Work
        Pass -> what the group costs once that pass is applied, the earlier ones too.
    timed : bool
        Whether some of its rows were run; else seconds are by its FLOPs, at the speed of those that were.
    """

    cohort: str
    side: Side
    sites: tuple[str, ...]
    arms: int
    rows: int
    live: float
    live_error: float
    work: Mapping[str, Work]
    timed: bool = True


@dataclass(frozen=True)
class Forecast:
    """What a plan is expected to cost.

    Parameters
    ----------
    passes : mapping of str to Work
        Pass -> cost of all patched arms once it is applied, in order; the first entry is the plan before any pass.
    groups : tuple of GroupForecast
    clean : Work
        The clean runs of all cohorts.
    cores : int
        Shards that run at the same time.
    memory : float
        Bytes at the peak, as estimated from the sizes of kept and of running values.
    sampled_pairs : int
        Pairs of each cohort on which live rows were counted.
    screens : tuple of ScreenForecast
        Sweeps that are ranked by gradients first; `groups` holds only the arms that are expected to be run then.
    overheads : float
        Seconds of one core for what is no row: inputs, statistics of cohorts.
    batch_rows, shard_pairs : int
        As this machine will pack them.
    extras : mapping of str to Work
        What is run in addition to the plan's own arms: controls, and runs that follow from first results.
    """

    passes: Mapping[str, Work]
    groups: tuple[GroupForecast, ...]
    clean: Work
    cores: int
    memory: float
    sampled_pairs: int
    screens: tuple[ScreenForecast, ...] = ()
    overheads: float = 0.0
    batch_rows: int = 0
    shard_pairs: int = 0
    extras: Mapping[str, Work] = field(default_factory=dict)

    @property
    def total(self) -> Work:
        """All that will be run."""
        final = (list(self.passes.values()) or [Work()])[-1]
        others = (*(screen.work for screen in self.screens), *self.extras.values())
        rows = self.clean + final + sum(others, Work())
        return replace(rows, seconds=rows.seconds + self.overheads)

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the run."""
        return self.total.seconds / self.cores


@dataclass(frozen=True)
class _Level:
    """The plan once a pass is applied: what may be omitted, and what rows are run for."""

    name: str
    shortcuts: Shortcuts
    requested: tuple[str, ...]


def _levels(plan: Plan) -> tuple[_Level, ...]:
    """The plan after each of its passes; sharing and packing leave nothing of a row out."""
    shortcuts = Shortcuts(suffix=False, dead_rows=False, low_rank=False, windows=False)
    requested = tuple(dict.fromkeys((*plan.outputs, OUTPUT)))
    found = [_Level("none", shortcuts, requested)]
    for record in plan.passes:
        match record.name:
            case "suffix":
                shortcuts = replace(shortcuts, suffix=True)
            case "stop":
                requested = plan.outputs
            case "dead_rows":
                shortcuts = replace(shortcuts, dead_rows=True)
            case "low_rank":
                shortcuts = replace(shortcuts, low_rank=shortcuts.suffix)
            case "windows":
                shortcuts = replace(shortcuts, windows=shortcuts.low_rank)
        found.append(_Level(record.name, shortcuts, requested))
    return tuple(found)


@torch.inference_mode()
def forecast(plan: Plan, runner: PlanRunner, cores: int, sample_pairs: int = SAMPLE_PAIRS) -> Forecast:
    """Run a few rows of every kind, single-threaded, and scale.

    Parameters
    ----------
    plan : Plan
    runner : PlanRunner
        Of that plan.
    cores : int
        Cores of the machine; the run uses no more than it has shards.
    sample_pairs : int
        Pairs of each cohort on which live rows are counted.
    """
    runners = cores if runner.device.type == "cpu" else max(1, torch.cuda.device_count())
    levels = _levels(plan)
    allowance = Allowance(_ALLOWANCE + _ALLOWANCE_EACH * max(0, len(levels) - 2))
    trial = _open_trial(_first_patched(plan), plan, runner, sample_pairs)
    whole = trial.whole_pass(plan.batch_rows, allowance)
    plan, screens = foresee_screens(plan, runner, whole, sample_pairs)
    plan = pack_for(plan, runner.model, runner.device, runners)

    timing = _Timing(plan, runner, whole, levels)
    distinct = tuple({arm.id: arm for arm in plan.arms}.values())
    everything = plan_cost(replace(plan, arms=distinct), runner.components).flops
    groups: list[GroupForecast] = []
    clean, shards, kept = Work(), 0, 0.0
    for cohort in plan.cohorts:
        bounds = shard_bounds(cohort.samples, plan.shard_pairs)
        shards += len(bounds)
        clean += whole.scaled(cohort.samples * (1 if cohort.treatment is None else 2))
        arms = [arm for arm in distinct if arm.cohort == cohort.name]
        kept = max(kept, _kept_bytes(plan, runner, arms) * max(stop - first for first, stop in bounds))
        if any(arm.patches for arm in arms):
            share = plan_cost(replace(plan, arms=tuple(arms)), runner.components).flops / max(everything, 1.0)
            if trial.cohort != cohort.name:
                trial = _open_trial(cohort.name, plan, runner, sample_pairs)
            groups += timing.groups(trial, arms, Allowance(allowance.left * share))
    workers = max(1, min(runners, shards))
    extras = {EXACT_CONTROLS: foresee_controls(plan, runner, whole)}
    if plan.controls.copy is not None:
        extras[RANDOM_COPY] = _of_copy(plan.controls.copy, runner, groups, levels[-1].name, whole, trial.input_seconds)
    return Forecast(
        _passes(plan, groups, levels),
        tuple(groups),
        clean,
        workers,
        workers * (kept + _running_bytes(plan, runner)),
        sample_pairs,
        screens,
        foresee_overheads(plan, runner, whole, trial.input_seconds),
        plan.batch_rows,
        plan.shard_pairs,
        {label: work for label, work in extras.items() if work.rows},
    )


def _of_copy(
    plan: Plan,
    runner: PlanRunner,
    groups: Sequence[GroupForecast],
    final: str,
    whole: Work,
    input_seconds: float,
) -> Work:
    """What a copy with random weights takes: its arms are some of the plan's, and none of its rows is dead."""
    known = {(group.cohort, group.side, group.sites): group.work[final] for group in groups}
    clean = sum(cohort.samples * (1 if cohort.treatment is None else 2) for cohort in plan.cohorts)
    total = whole.scaled(clean)
    for arm in plan.arms:
        if arm.patches:
            each = known.get((arm.cohort, arm.side, tuple(patch.site for patch in arm.patches)), whole)
            total += (each if each.rows else whole).scaled(arm.pairs)
    seconds = total.seconds + foresee_overheads(plan, runner, whole, input_seconds)
    return replace(total, seconds=seconds)


def _first_patched(plan: Plan) -> str:
    """The first cohort that has arms with patches; the first of all where none has."""
    patched = {arm.cohort for arm in plan.arms if arm.patches}
    return next((cohort.name for cohort in plan.cohorts if cohort.name in patched), plan.cohorts[0].name)


def _open_trial(name: str, plan: Plan, runner: PlanRunner, sample_pairs: int) -> Trial:
    arms = [arm for arm in plan.arms if arm.cohort == name]
    return Trial(runner, name, arms, min(sample_pairs, plan.cohort(name).samples))


def _kept_bytes(plan: Plan, runner: PlanRunner, arms: Sequence[Arm]) -> float:
    """Bytes of clean values that a run keeps of a pair."""
    keep = needed_values(runner.graph, runner.components, arms, Shortcuts.of(plan.options), plan.outputs)
    return float(keep.numbers(runner.graph) * _itemsize(plan))


def _running_bytes(plan: Plan, runner: PlanRunner) -> float:
    """Bytes that a batch holds."""
    outputs = prod(runner.graph.shape(runner.graph.outputs["output"]))
    return row_bytes(runner.components, outputs) * _itemsize(plan) / 4 * plan.batch_rows


def _itemsize(plan: Plan) -> int:
    return dtype_of(plan.options.precision).itemsize


def _passes(plan: Plan, groups: Sequence[GroupForecast], levels: Sequence[_Level]) -> dict[str, Work]:
    """What all groups cost after each pass; before all of them an arm is run once for each of its uses."""
    found = {level.name: sum((group.work[level.name] for group in groups), Work()) for level in levels}
    pairs = {arm.id: arm.pairs for arm in plan.arms if arm.patches}
    inner = {arm.id: sum(run.arm.pairs for run in inner_runs([arm])) for arm in plan.arms if is_relayed(arm.patches)}
    asked = sum(pairs.get(use.arm, 0) + inner.get(use.arm, 0) for use in plan.uses)
    if asked and groups:
        found["none"] = found["none"].scaled(asked)
    return found


@dataclass(frozen=True)
class _Kind:
    """Arms that re-run the same operations; with `run`, the first of theirs, inner runs that end at `ends`."""

    arms: tuple[Arm, ...]
    run: InnerRun | None = None
    ends: Mapping[str, str] | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """What tells the group from others of its side."""
        return tuple(patch.site for patch in self.arms[0].patches) if self.run is None else (self.run.label,)


class _Timing:
    """Times groups of arms, or estimates them by those that were timed.

    Parameters
    ----------
    plan : Plan
    runner : PlanRunner
    whole : Work
        Whole forward passes.
    levels : tuple of _Level
    """

    def __init__(self, plan: Plan, runner: PlanRunner, whole: Work, levels: tuple[_Level, ...]) -> None:
        self._plan = plan
        self._components = runner.components
        self._whole = whole
        self._levels = levels
        self._is_graph = isinstance(runner.graph, OperatorGraph)
        self._rng = np.random.default_rng(plan.seed)
        # For each way to run a group: what groups that were timed cost, as multiples of what is expected on paper.
        self._found: dict[_Way, list[Work]] = {}

    def groups(self, trial: Trial, arms: Sequence[Arm], allowance: Allowance) -> list[GroupForecast]:
        """The forecast of every group of a cohort's patched arms, the most expensive ones timed first."""
        members = [_Kind(tuple(arms[place] for place in places)) for places in group_arms(arms)]
        members = [kind for kind in members if kind.arms[0].patches]
        for runs in group_inner(inner_runs(arms)):
            members.append(_Kind(tuple(run.arm for run in runs), runs[0], ends_of(runs, self._components)))
        paper = [self._on_paper(kind, self._levels[-1]) for kind in members]
        costs = [sum(arm.pairs for arm in kind.arms) * each.flops for kind, each in zip(members, paper, strict=True)]
        order = sorted(range(len(members)), key=lambda place: -costs[place])
        done: dict[int, GroupForecast] = {}
        for number, place in enumerate(order):
            done[place] = self._group(trial, members[place], allowance, len(order) - number)
        return [done[place] for place in range(len(members))]

    def _group(self, trial: Trial, kind: _Kind, allowance: Allowance, waiting: int) -> GroupForecast:
        """The forecast of one group; `waiting` groups, this one among them, share the allowance."""
        arms = kind.arms
        first, rows = arms[0], sum(arm.pairs for arm in arms)
        skipping = [level.shortcuts for level in self._levels if level.shortcuts.dead_rows]
        live = trial.live(arms, skipping[0], kind.ends) if skipping else None
        known: dict[_Way, Work] = {}
        work: dict[str, Work] = {}
        ways = {self._way(level, kind) for level in self._levels} - {None}
        timed = True
        for level in self._levels:
            way = self._way(level, kind)
            if way is None:
                each = self._whole
            else:
                if way not in known:
                    seconds = allowance.left / (waiting * max(1, len(ways) - len(known)))
                    known[way], ran = self._row(trial, kind, live, level, way, Allowance(seconds), allowance)
                    timed = timed and ran
                each = known[way]
            share = live.share if live is not None and level.shortcuts.dead_rows else 1.0
            work[level.name] = each.scaled(rows * share)
        return GroupForecast(
            first.cohort,
            first.side,
            kind.sites,
            len(arms),
            rows,
            rows if live is None else rows * live.share,
            0.0 if live is None else live.error,
            work,
            timed,
        )

    def _way(self, level: _Level, kind: _Kind) -> _Way | None:
        """What makes rows of two levels cost the same; None where they are whole forward passes."""
        wanted = level.requested if kind.run is None else _READ
        if not self._is_graph:
            # Hooks take their time, whatever may be omitted.
            return None if level.name == "none" else (False, False, False, () if kind.run is None else _READ)
        given = level.shortcuts
        return (given.suffix, given.low_rank, given.windows, wanted) if given.suffix else None

    def _row(
        self,
        trial: Trial,
        kind: _Kind,
        live: LiveRows | None,
        level: _Level,
        way: _Way,
        own: Allowance,
        allowance: Allowance,
    ) -> tuple[Work, bool]:
        """What a row of a group costs, and whether that was timed."""
        paper = self._on_paper(kind, level)
        # Each of a few parts is run a few times.
        affordable = own.left / (_RUNS * paper.seconds) if paper.seconds > 0 else float(self._plan.batch_rows)
        if affordable >= MIN_ROWS or way not in self._found:
            rows = int(min(max(affordable, MIN_ROWS), self._plan.batch_rows))
            began = own.left
            shortcuts = replace(level.shortcuts, dead_rows=False)
            found = trial.time(kind.arms, live, shortcuts, level.requested, rows, own, self._rng, kind.ends)
            allowance.left -= began - own.left
            each = found.scaled(1.0)
            self._found.setdefault(way, []).append(_ratio(each, paper))
            return each, True
        ratios = self._found[way]
        return _product(paper, sum(ratios, Work()).scaled(1.0)), False

    def _on_paper(self, kind: _Kind, level: _Level) -> Work:
        """A row of a group as operations count it, at the speed of whole forward passes."""
        rerun = "suffix" if level.shortcuts.suffix else "full"
        if kind.run is None:
            places = rerun_operations(kind.arms[0], self._components, rerun, OUTPUT in level.requested)
        else:
            places = inner_operations(kind.run, self._components, rerun)
        flops = sum(self._components.operations[place].flops for place in places)
        moved = sum(self._components.operations[place].bytes for place in places)
        whole = self._whole.scaled(1.0)
        share = flops / whole.flops if whole.flops else 1.0
        return Work(1.0, share, flops, moved, share * whole.seconds)


def _ratio(found: Work, paper: Work) -> Work:
    """What was found as multiples of what was expected."""
    return Work(1.0, *(_part(found, paper, name) for name in ("forwards", "flops", "bytes", "seconds")))


def _part(found: Work, paper: Work, name: str) -> float:
    expected: float = getattr(paper, name)
    part: float = getattr(found, name) / expected if expected else 1.0
    return part


def _product(paper: Work, ratio: Work) -> Work:
    return Work(
        paper.rows,
        paper.forwards * ratio.forwards,
        paper.flops * ratio.flops,
        paper.bytes * ratio.bytes,
        paper.seconds * ratio.seconds,
    )
