"""What a run will cost, measured on a few rows of every kind before it is started."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from causalvae.engine.keep import needed_values
from causalvae.engine.memory import BatchSize
from causalvae.engine.outcomes import OutcomeMeter
from causalvae.engine.rerun import Group, Shortcuts, group_arms
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import run_clean, shard_bounds
from causalvae.engine.statistics import OBSERVED_KINDS, gather_means, gather_observed, merge, sites_needing
from causalvae.engine.suffix import Ledger
from causalvae.engine.values import MIN_ROWS, padding
from causalvae.plan.passes.pack import row_bytes
from causalvae.plan.types import OUTPUT, Arm, Plan

# Pairs of each cohort that live rows are counted on, and rows of each kind that are timed.
SAMPLE_PAIRS = 16
_TIMED_ROWS = 96


@dataclass(frozen=True)
class Work:
    """What rows cost: forwards in whole passes of one row, FLOPs, bytes of activations, seconds of one core."""

    rows: float = 0.0
    forwards: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, name) + getattr(other, name) for name in _FIELDS))

    def scaled(self, rows: float) -> Work:
        """The same kind of work for another number of rows."""
        return Work(*(getattr(self, name) * rows / self.rows if self.rows else 0.0 for name in _FIELDS))


_FIELDS = ("rows", "forwards", "flops", "bytes", "seconds")


@dataclass(frozen=True)
class GroupForecast:
    """Arms that re-run the same operations.

    Parameters
    ----------
    cohort, side : str
    sites : tuple of str
    arms : int
    rows : int
    live : float
        Rows that are expected to be run.
    live_error : float
        Standard error of the expected share of live rows, from the sampled pairs.
    work : mapping of str to Work
        Pass -> what the group costs once that pass is applied, the earlier ones too.
    """

    cohort: str
    side: str
    sites: tuple[str, ...]
    arms: int
    rows: int
    live: float
    live_error: float
    work: Mapping[str, Work]


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
        Shards that run beside each other.
    memory : float
        Bytes at the peak, as estimated from the sizes of kept and of running values.
    sampled_pairs : int
        Pairs of each cohort on which live rows were counted.
    """

    passes: Mapping[str, Work]
    groups: tuple[GroupForecast, ...]
    clean: Work
    cores: int
    memory: float
    sampled_pairs: int

    @property
    def total(self) -> Work:
        """All that will be run."""
        return self.clean + (list(self.passes.values()) or [Work()])[-1]

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the run."""
        return self.total.seconds / self.cores


_LEVELS: dict[str, Shortcuts] = {
    "suffix": Shortcuts(suffix=True, dead_rows=False, low_rank=False, windows=False),
    "stop": Shortcuts(suffix=True, dead_rows=False, low_rank=False, windows=False),
    "dead_rows": Shortcuts(suffix=True, dead_rows=True, low_rank=False, windows=False),
    "low_rank": Shortcuts(suffix=True, dead_rows=True, low_rank=True, windows=False),
    "windows": Shortcuts(),
}


@torch.inference_mode()
def forecast(
    plan: Plan, runner: PlanRunner, cores: int, sample_pairs: int = SAMPLE_PAIRS, each_pass: bool = True
) -> Forecast:
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
    each_pass : bool
        Time the plan as it is after every pass; else only as it will be run, which takes a third of the time.
    """
    applied = [record.name for record in plan.passes if record.name in _LEVELS]
    if not each_pass:
        applied = applied[-1:]
    rng = np.random.default_rng(plan.seed)
    groups: list[GroupForecast] = []
    clean, kept = Work(), 0.0
    shards = 0
    whole: Work | None = None
    for cohort in plan.cohorts:
        bounds = shard_bounds(cohort.samples, plan.shard_pairs)
        shards += len(bounds)
        arms = [arm for arm in plan.arms if arm.cohort == cohort.name]
        sample = _Sample(runner, cohort.name, arms, min(sample_pairs, cohort.samples))
        if whole is None:
            whole = sample.whole_pass()
        clean += whole.scaled(cohort.samples * sample.sides)
        widest = max(stop - first for first, stop in bounds)
        kept = max(kept, sample.kept_bytes * widest)
        for members in group_arms(arms):
            chosen = [arms[member] for member in members]
            if chosen[0].patches:
                groups.append(sample.group(chosen, applied, whole, plan.batch_rows, rng))
    workers = max(1, min(cores, shards))
    passes = {"none": sum((group.work["none"] for group in groups), Work())}
    for record in plan.passes:
        if record.name == "share" and groups:
            passes = {"none": passes["none"].scaled(_patched_rows_before(plan))}
            passes["share"] = sum((group.work["none"] for group in groups), Work())
        elif record.name in applied:
            passes[record.name] = sum((group.work[record.name] for group in groups), Work())
    outputs = prod(runner.graph.shape(runner.graph.outputs["output"]))
    running = row_bytes(runner.components, outputs) * plan.batch_rows
    return Forecast(passes, tuple(groups), clean, workers, workers * (kept + running), sample_pairs)


class _Sample:
    """The first pairs of a cohort, with their clean runs."""

    def __init__(self, runner: PlanRunner, cohort: str, arms: list[Arm], pairs: int) -> None:
        self._graph, self._components = runner.graph, runner.components
        self._inputs = runner.shard(cohort, 0, pairs)
        self._clean = run_clean(self._graph, self._inputs)
        means = sites_needing(arms, ("mean",))
        observed = sites_needing(arms, OBSERVED_KINDS)
        # A few inputs stand for the cohort: which rows are live, and what they cost, depends little on the very value.
        self._statistics = merge(
            gather_means(self._graph, self._components, means, [self._inputs]) if means else {},
            gather_observed(self._graph, self._components, observed, [self._inputs]) if observed else {},
        )
        outputs = {
            side: {name: values[self._graph.outputs[name]] for name in runner.plan.outputs}
            for side, values in self._clean.sides.items()
        }
        self._outputs = runner.plan.outputs
        self._plan, self._arms = runner.plan, arms
        self._meter = OutcomeMeter(runner.measure, runner.plan, outputs["base"], outputs.get("counterfactual"))

    @property
    def sides(self) -> int:
        """Base alone, or base and counterfactual."""
        return len(self._inputs.sides)

    @property
    def kept_bytes(self) -> float:
        """Bytes of clean values that a run keeps of a pair, both sides together."""
        shortcuts = Shortcuts.of(self._plan.options)
        keep = needed_values(self._graph, self._components, self._arms, shortcuts, self._outputs)
        return float(keep.numbers(self._graph) * self._inputs.noise.element_size())

    def whole_pass(self) -> Work:
        """What whole forward passes cost, outcomes measured."""
        rows = max(self._inputs.rows, MIN_ROWS)
        index = padding(self._inputs.rows).to(self._inputs.noise.device)
        x, noise = self._inputs.sides["base"][index], self._inputs.noise[index]
        everyone = torch.arange(self._inputs.rows, device=noise.device)

        def run() -> None:
            found = self._graph.run(x, noise, keep=())
            values = {name: found[self._graph.outputs[name]][: self._inputs.rows] for name in self._outputs}
            self._meter(values, everyone)

        operations = self._components.operations
        flops, moved = (
            sum(operation.flops for operation in operations),
            sum(operation.bytes for operation in operations),
        )
        return Work(rows, rows, rows * flops, rows * moved, _best_time(run))

    def group(
        self, arms: list[Arm], applied: Sequence[str], whole: Work, batch_rows: int, rng: np.random.Generator
    ) -> GroupForecast:
        """The forecast of arms that patch the same sites on the same side."""
        rows = sum(arm.pairs for arm in arms)
        covered = [min(arm.pairs, self._inputs.rows) for arm in arms]
        work = {"none": whole.scaled(rows)}
        live_rows, error, previous = float(rows), 0.0, ""
        for name in applied:
            shortcuts = _LEVELS[name]
            # Until runs stop at the deepest outcome, they go on to the output.
            stops = name != "suffix"
            requested = self._outputs if stops else tuple(dict.fromkeys((*self._outputs, OUTPUT)))
            group = Group(
                self._graph, self._components, arms, self._clean, self._statistics, covered, shortcuts, requested
            )
            live = group.live()
            if shortcuts.dead_rows:
                share, error = _share_of_live(live, covered)
                live_rows = rows * share
            if previous and (name == "dead_rows" or (name == "stop" and OUTPUT in self._outputs)):
                # These rows cost what they cost before: only their number may differ.
                work[name] = work[previous].scaled(live_rows)
            else:
                # The cost of a row is asked of live rows; where the sample has none, dead ones cost as much.
                timed = live if bool(live.any()) else _covered(live, covered)
                work[name] = self._time(group, timed, batch_rows, rng).scaled(live_rows)
            previous = name
        first = arms[0]
        sites = tuple(patch.site for patch in first.patches)
        return GroupForecast(first.cohort, first.side, sites, len(arms), rows, live_rows, error, work)

    def _time(self, group: Group, live: Tensor, batch_rows: int, rng: np.random.Generator) -> Work:
        """Run some arms' rows and measure their outcomes."""
        order = torch.from_numpy(rng.permutation(len(live))).to(live.device)
        counts = live[order].sum(1).cumsum(0)
        enough = order[: int((counts < _TIMED_ROWS).sum()) + 1]
        chosen = torch.zeros_like(live)
        chosen[enough] = live[enough]
        ledger = Ledger()

        def run() -> None:
            for batch in group.batches(chosen, BatchSize(batch_rows), ledger):
                self._meter(batch.values, batch.pairs)

        run()
        counted = Ledger(ledger.rows, ledger.flops, ledger.bytes)
        seconds = _best_time(run)
        # Small batches are padded; the padding is run in the real run as well, but seldom.
        real = counted.rows
        whole = sum(operation.flops for operation in self._components.operations)
        return Work(real, counted.flops / whole, counted.flops, counted.bytes, seconds)


def _covered(live: Tensor, covered: Sequence[int]) -> Tensor:
    """All covered rows of every arm."""
    places = torch.arange(live.shape[1], device=live.device)
    return places[None] < torch.tensor(covered, device=live.device)[:, None]


def _share_of_live(live: Tensor, covered: Sequence[int]) -> tuple[float, float]:
    """The share of live rows, and its standard error over pairs, which are what was sampled."""
    total = sum(covered)
    share = float(live.sum()) / total
    per_pair = live.double().sum(0) / _covered(live, covered).double().sum(0).clamp(min=1)
    pairs = live.shape[1]
    return share, float(per_pair.std() / pairs**0.5) if pairs > 1 else 0.0


def _best_time(run: Callable[[], None], repetitions: int = 2) -> float:
    """Seconds of this thread's CPU time, the least of a few."""
    times = []
    for _ in range(repetitions):
        began = time.thread_time()
        run()
        times.append(time.thread_time() - began)
    return min(times)


def _patched_rows_before(plan: Plan) -> float:
    """Rows of patched arms as the spec asks for them, an arm once for each of its uses."""
    pairs = {arm.id: arm.pairs for arm in plan.arms if arm.patches}
    return float(sum(pairs.get(use.arm, 0) for use in plan.uses))
