"""Values that relayed sources take from other patched runs, called inner runs, which end at the site that is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from causalvae.engine.clock import busy_seconds
from causalvae.engine.memory import BatchSize
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.suffix import Ledger
from causalvae.engine.values import CleanRuns, RelayKey, Statistics
from causalvae.models.components import ComponentMap
from causalvae.models.program import Program
from causalvae.plan.relays import InnerRun, group_inner, inner_runs
from causalvae.plan.types import Arm


@dataclass(frozen=True)
class InnerCost:
    """Cost in one shard of inner runs that re-run the same operations.

    Parameters
    ----------
    runs : tuple of InnerRun
    rows, live : int
        Number of rows in this shard, and of those that were run.
    seconds : float
        CPU time of the thread, or time of the GPU.
    ledger : Ledger
    """

    runs: tuple[InnerRun, ...]
    rows: int
    live: int
    seconds: float
    ledger: Ledger


def ends_of(runs: Sequence[InnerRun], components: ComponentMap) -> dict[str, str]:
    """Name of each site where the runs end -> its node."""
    return {site: components.site(site).node for site in runs[0].sites}


def relay(
    graph: Program,
    components: ComponentMap,
    arms: Sequence[Arm],
    clean: CleanRuns,
    statistics: Mapping[str, Statistics],
    shortcuts: Shortcuts,
    size: BatchSize,
) -> tuple[CleanRuns, tuple[InnerCost, ...]]:
    """Run the inner runs of `arms`, each once, and add the values that relayed sources read to the clean runs.

    Parameters
    ----------
    graph : Program
    components : ComponentMap
    arms : sequence of Arm
        Arms of one cohort; those that end before this shard are ignored.
    clean : CleanRuns
        Clean values of the shard, as found by `needed_values`.
    statistics : mapping
        Site name -> statistics over the cohort, for sources that need them.
    shortcuts : Shortcuts
        With `dead_rows`, rows whose patches change nothing are not run; they have the clean value.
    size : BatchSize
    """
    runs = [run for run in inner_runs(arms) if run.arm.pairs > clean.first]
    costs = []
    for group in group_inner(runs):
        values, cost = _run(graph, components, group, clean, statistics, shortcuts, size)
        clean = replace(clean, relayed={**clean.relayed, **values})
        costs.append(cost)
    return clean, tuple(costs)


def _run(
    graph: Program, components: ComponentMap, runs: list[InnerRun], clean: CleanRuns,
    statistics: Mapping[str, Statistics], shortcuts: Shortcuts, size: BatchSize,
) -> tuple[dict[RelayKey, Tensor], InnerCost]:  # fmt: skip
    """The values of inner runs that re-run the same operations, (pairs, ...), and their cost."""
    side, ends = runs[0].arm.side, ends_of(runs, components)
    own = clean.sides[side]
    device = own[graph.inputs[0]].device
    began, ledger = busy_seconds(device), Ledger()
    covered = [min(run.arm.pairs - clean.first, clean.rows) for run in runs]
    group = Group(graph, components, [run.arm for run in runs], clean, statistics, covered, shortcuts, ends=ends)
    found = {site: [own[node].clone() for _ in runs] for site, node in ends.items()}
    live = group.live()
    for batch in group.batches(live, size, ledger):
        for member in batch.arms.unique().tolist():
            mine = batch.arms == member
            for site, values in found.items():
                values[member][batch.pairs[mine]] = batch.values[site][mine]
    cost = InnerCost(tuple(runs), sum(covered), int(live.sum()), busy_seconds(device) - began, ledger)
    return {
        RelayKey(side, site, run.arm.patches): values[member]
        for site, values in found.items()
        for member, run in enumerate(runs)
    }, cost
