"""What a plan will cost, before it is run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Self

from causalvae.models.components import ComponentMap
from causalvae.plan.relays import InnerRun, inner_runs, is_relayed
from causalvae.plan.types import OUTPUT, Arm, PassRecord, Plan


@dataclass(frozen=True)
class Cost:
    """What rows cost.

    Parameters
    ----------
    rows : float
        (input, intervention) pairs.
    forwards : float
        FLOPs in whole forward passes of one row.
    flops, bytes : float
        Operations, and activations read and written in float32.
    """

    rows: float = 0.0
    forwards: float = 0.0
    flops: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


def rows(plan: Plan) -> int:
    """Rows of all arms: (input, intervention) pairs."""
    return sum(arm.pairs for arm in plan.arms)


def rerun_operations(arm: Arm, components: ComponentMap, rerun: str, to_output: bool = True) -> frozenset[int]:
    """Positions of the operations that an arm re-runs: downstream of any of its patches, to the output or latent."""
    needed = frozenset(range(len(components.operations))) if to_output else components.before_latent
    if not arm.patches or rerun != "suffix":
        return needed
    found: frozenset[int] = frozenset()
    return needed & found.union(*(components.site(patch.site).downstream for patch in arm.patches))


def arm_cost(arm: Arm, components: ComponentMap, rerun: str, to_output: bool = True) -> float:
    """FLOPs of one row of an arm, as a share of a whole forward pass.

    Where the map lists no operations, the most expensive of its patches counts, as if all others lay downstream of it.
    """
    if (not arm.patches or rerun != "suffix") and to_output:
        return 1.0
    if not components.operations:
        return max(components.site(patch.site).rerun_cost for patch in arm.patches)
    rerun_flops = sum(
        components.operations[place].flops for place in rerun_operations(arm, components, rerun, to_output)
    )
    return rerun_flops / components.flops


def inner_operations(run: InnerRun, components: ComponentMap, rerun: str) -> frozenset[int]:
    """Positions of the operations that an inner run re-runs: downstream of any of its patches, up to what is read."""
    none: frozenset[int] = frozenset()
    needed = none.union(*(components.site(name).before for name in run.sites))
    if rerun != "suffix":
        return needed
    return needed & none.union(*(components.site(patch.site).downstream for patch in run.arm.patches))


def inner_cost(run: InnerRun, components: ComponentMap, rerun: str) -> float:
    """FLOPs of one row of an inner run, as a share of a whole forward pass."""
    if not components.operations:
        first = max(components.site(patch.site).rerun_cost for patch in run.arm.patches)
        last = min(components.site(name).rerun_cost for name in run.sites)
        return max(0.0, (first if rerun == "suffix" else 1.0) - last)
    inner = sum(components.operations[place].flops for place in inner_operations(run, components, rerun))
    return inner / components.flops


def asked_inner_runs(plan: Plan) -> list[InnerRun]:
    """The inner runs of a plan's arms; those of an arm that is listed more than once as often as it is listed."""
    rounds: list[list[Arm]] = []
    counts: Counter[Arm] = Counter()
    for arm in plan.arms:
        if is_relayed(arm.patches):
            if counts[arm] == len(rounds):
                rounds.append([])
            rounds[counts[arm]].append(arm)
            counts[arm] += 1
    return [run for arms in rounds for run in inner_runs(arms)]


def plan_cost(plan: Plan, components: ComponentMap) -> Cost:
    """The cost of all arms and of their inner runs, dead rows counted as run and every operation counted in full."""
    rerun, to_output = plan.options.rerun, OUTPUT in plan.outputs
    kinds: dict[tuple[str, ...], tuple[Arm, int]] = {}
    for arm in plan.arms:
        sites = tuple(patch.site for patch in arm.patches)
        first, pairs = kinds.get(sites, (arm, 0))
        kinds[sites] = (first, pairs + arm.pairs)
    total = Cost()
    for arm, pairs in kinds.values():
        operations = [components.operations[place] for place in rerun_operations(arm, components, rerun, to_output)]
        total += Cost(
            pairs,
            pairs * arm_cost(arm, components, rerun, to_output),
            pairs * sum(operation.flops for operation in operations),
            pairs * sum(operation.bytes for operation in operations),
        )
    for run in asked_inner_runs(plan):
        operations = [components.operations[place] for place in inner_operations(run, components, rerun)]
        total += Cost(
            run.arm.pairs,
            run.arm.pairs * inner_cost(run, components, rerun),
            run.arm.pairs * sum(operation.flops for operation in operations),
            run.arm.pairs * sum(operation.bytes for operation in operations),
        )
    return total


def forwards(plan: Plan, components: ComponentMap) -> float:
    """The cost of all arms in whole forward passes, dead rows counted as run."""
    return plan_cost(plan, components).forwards


def record(name: str, before: Plan, after: Plan, components: ComponentMap, note: str = "") -> PassRecord:
    """What a pass did, as far as it is known before any value is."""
    earlier, later = plan_cost(before, components), plan_cost(after, components)
    return PassRecord(
        name,
        int(earlier.rows),
        int(later.rows),
        earlier.forwards,
        later.forwards,
        note,
        earlier.flops,
        later.flops,
        earlier.bytes,
        later.bytes,
    )
