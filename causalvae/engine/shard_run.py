"""Runs one shard of one cohort: the clean runs, then all arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from causalvae.engine.clock import busy_seconds
from causalvae.engine.effort import Finished, OnRows, effort, ignore_rows, mean_effort
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.outcomes import Measure, OutcomeMeter, outcome_frame
from causalvae.engine.relays import InnerCost, relay
from causalvae.engine.rerun import Batch, Group, Shortcuts, group_arms
from causalvae.engine.responses import ShardResponses
from causalvae.engine.shards import CLEAN_RUNS, GroupCost, ShardInputs, run_clean
from causalvae.engine.suffix import Ledger
from causalvae.engine.values import CleanRuns, Statistics
from causalvae.models.components import ComponentMap
from causalvae.models.program import Program
from causalvae.plan.types import Arm, Plan, Side


@dataclass(frozen=True)
class ShardResult:
    """Outcome rows of one shard, in the order of the plan's arms, its clean values, and the cost of each group.

    `batch_rows` is the final number of rows run together, less than planned if memory ran out.
    """

    outcomes: pd.DataFrame
    clean: CleanRuns
    costs: tuple[GroupCost, ...] = ()
    batch_rows: int = 0


@dataclass
class _Spent:
    """What a group of arms has taken so far."""

    seconds: float = 0.0
    live: int = 0
    ledger: Ledger = field(default_factory=Ledger)


def run_shard(
    plan: Plan,
    arms: Sequence[Arm],
    graph: Program,
    components: ComponentMap,
    inputs: ShardInputs,
    statistics: Mapping[str, Statistics],
    measure: Measure,
    on_rows: OnRows = ignore_rows,
    responses: ShardResponses | None = None,
    clean: CleanRuns | None = None,
) -> ShardResult:
    """Run `arms` on one shard.

    Parameters
    ----------
    plan : Plan
        For its options, attributes and batch size.
    arms : sequence of Arm
        Arms of the cohort; those that end before this shard are ignored.
    graph, components
        The network.
    inputs : ShardInputs
    statistics : mapping
        Site name -> statistics over the whole cohort.
    measure : callable
        From outputs to attributes.
    on_rows : callable
        Called with the number of finished rows and their cost.
    responses : ShardResponses, optional
        Reads whole outputs and activations of some of the rows.
    clean : CleanRuns, optional
        Clean values of the same pairs from an earlier call; they are computed again where they lack something.
    """
    device = inputs.noise.device
    began = busy_seconds(device)
    size = BatchSize(plan.batch_rows)
    present = [arm for arm in arms if arm.pairs > inputs.first]
    shortcuts = Shortcuts.of(plan.options)
    keep = needed_values(graph, components, present, shortcuts, plan.outputs)
    if responses is not None:
        keep = keep.with_base(responses.nodes)
    if clean is None or not keep.is_within(clean, inputs.sides.keys()):
        clean = run_clean(graph, inputs, keep, size)
    outputs = {
        side: {name: values[graph.outputs[name]] for name in plan.outputs} for side, values in clean.sides.items()
    }
    meter = OutcomeMeter(measure, plan, outputs["base"], outputs.get("counterfactual"))
    everyone = torch.arange(inputs.rows, device=device)
    clean_outcomes = {side: meter(output, everyone) for side, output in outputs.items()}

    runs = inputs.rows * len(inputs.sides)
    flops = runs * components.flops
    moved = runs * sum(operation.bytes for operation in components.operations)
    costs = [GroupCost("both", CLEAN_RUNS, 0, runs, runs, busy_seconds(device) - began, flops, moved)]
    clean, inner = relay(graph, components, present, clean, statistics, shortcuts, size)
    costs += [_inner_cost(cost) for cost in inner]
    table = _Table(present, inputs, meter.columns, clean_outcomes)
    rows = _Rows(plan, graph, components, clean, statistics, shortcuts, size, meter, table)
    groups = group_arms(present)
    spent = [_Spent() for _ in groups]
    if responses is not None:
        rows.watch(groups, spent, responses)
    for members, so_far in zip(groups, spent, strict=True):
        together, counts = [present[member] for member in members], table.counts[members].tolist()
        total, first = sum(counts), together[0]
        if not first.patches:
            on_rows(total, total * effort(first, plan, components))
            continue
        began = busy_seconds(device)
        group = rows.group(members)
        live = group.live() & ~rows.watched[torch.tensor(members, device=device)]
        already = so_far.live
        so_far.live += int(live.sum())
        finish = Finished(total, so_far.live, mean_effort(together, counts, plan, components), on_rows)
        if already:
            finish(already)
        for batch in rows.run(group, members, live, so_far.ledger):
            finish(len(batch.pairs))
        sites = " + ".join(patch.site for patch in first.patches)
        so_far.seconds += busy_seconds(device) - began
        ledger = so_far.ledger
        costs.append(
            GroupCost(
                first.side, sites, len(members), total, so_far.live, so_far.seconds, ledger.flops, ledger.bytes
            )
        )  # fmt: skip
        finish.rest()
    return ShardResult(table.frame(), clean, tuple(costs), size.rows)


class _Table:
    """The outcomes of a shard, arm by arm; clean outcomes where nothing else was filled in."""

    def __init__(
        self,
        arms: Sequence[Arm],
        inputs: ShardInputs,
        columns: tuple[str, ...],
        clean: Mapping[Side, npt.NDArray[np.float64]],
    ) -> None:
        self.arms = arms
        self.counts = np.array([min(arm.pairs - inputs.first, inputs.rows) for arm in arms], dtype=np.int64)
        self._first = inputs.first
        self._columns = columns
        # Where the rows of each arm begin.
        self._starts = np.cumsum([0, *self.counts])
        self._alive = np.zeros(int(self._starts[-1]), dtype=bool)
        self._values = np.empty((len(columns), len(self._alive)))
        for arm, start, count in zip(arms, self._starts, self.counts, strict=False):
            self._values[:, start : start + count] = clean[arm.side][:count].T

    def fill(self, members: Sequence[int], batch: Batch, measured: npt.NDArray[np.float64]) -> None:
        """Put the outcomes of a batch in place; `members` are the positions of its group's arms."""
        owners, rows = batch.arms.cpu().numpy(), batch.pairs.cpu().numpy()
        places = self._starts[members][owners] + rows
        self._values[:, places] = measured.T
        self._alive[places] = True

    def frame(self) -> pd.DataFrame:
        """As it is stored."""
        ids = [arm.id for arm in self.arms]
        return outcome_frame(ids, self.counts.tolist(), self._values, self._alive, self._first, self._columns)


@dataclass
class _Rows:
    """Runs rows of a shard and measures their outcomes."""

    plan: Plan
    graph: Program
    components: ComponentMap
    clean: CleanRuns
    statistics: Mapping[str, Statistics]
    shortcuts: Shortcuts
    size: BatchSize
    meter: OutcomeMeter
    table: _Table
    # Which rows have been run already, (arms, shard rows).
    watched: Tensor = field(init=False)

    def __post_init__(self) -> None:
        device = self.clean.sides["base"][self.graph.outputs[self.plan.outputs[0]]].device
        self.watched = torch.zeros((len(self.table.arms), self.clean.rows), dtype=torch.bool, device=device)

    def group(self, members: Sequence[int], graph: Program | None = None, requested: tuple[str, ...] = ()) -> Group:
        """Arms that re-run the same operations, by their positions."""
        return Group(
            graph or self.graph,
            self.components,
            [self.table.arms[member] for member in members],
            self.clean,
            self.statistics,
            self.table.counts[list(members)].tolist(),
            self.shortcuts,
            (*self.plan.outputs, *requested),
        )

    def run(self, group: Group, members: Sequence[int], live: Tensor, ledger: Ledger) -> Iterator[Batch]:
        """Run the live rows of a group; gives each batch once its outcomes are in place."""
        for batch in group.batches(live, self.size, ledger):
            self.table.fill(members, batch, self.meter(batch.values, batch.pairs))
            yield batch

    def watch(self, groups: Sequence[Sequence[int]], spent: Sequence[_Spent], responses: ShardResponses) -> None:
        """Run the rows that responses are read from, the arms of one value of a few pairs at a time."""
        places = {arm.id: place for place, arm in enumerate(self.table.arms)}
        owner = {member: number for number, members in enumerate(groups) for member in members}
        device = self.watched.device
        base = self.clean.sides["base"]
        for part in responses.parts():
            asked = [places[arm] for arm in part.arms]
            seen = responses.open(part, base)
            for number in dict.fromkeys(owner[place] for place in asked):
                members = [place for place in asked if owner[place] == number]
                began = busy_seconds(device)
                group = self.group(members, responses.graph, part.sites)
                wanted = torch.zeros((len(members), self.clean.rows), dtype=torch.bool, device=device)
                wanted[:, part.first : part.stop] = True
                live = group.live() & wanted
                positions = torch.tensor([asked.index(member) for member in members])
                for batch in self.run(group, members, live, spent[number].ledger):
                    seen.read(positions[batch.arms.cpu()], batch)
                fresh = live & ~self.watched[torch.tensor(members, device=device)]
                spent[number].live += int(fresh.sum())
                self.watched[torch.tensor(members, device=device)] |= wanted
                spent[number].seconds += busy_seconds(device) - began
            seen.close()


def _inner_cost(cost: InnerCost) -> GroupCost:
    """The cost of inner runs as a `GroupCost`."""
    first, ledger = cost.runs[0], cost.ledger
    return GroupCost(
        first.arm.side, first.label, len(cost.runs), cost.rows, cost.live, cost.seconds, ledger.flops, ledger.bytes
    )
