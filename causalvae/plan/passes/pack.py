"""Packing: rows of many interventions in one batch, as many as suit the machine and fit the memory budget."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import prod

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.relays import with_inner
from causalvae.plan.types import Plan, Side
from causalvae.spec.value_source import ValueSource

# Rows a batch: measured on a CPU, where more fall out of its cache (docs/decisions.md); a GPU must be filled.
CPU_ROWS, GPU_ROWS = 64, 1024
# More rows on a CPU if the largest value of them has no more bytes than this.
MOST_CPU_ROWS, CPU_BYTES = 256, 2.0 * 2**20
# Batches hold a multiple of this many rows; smaller ones are padded (docs/decisions.md).
FEWEST_ROWS = 32
# Pairs a shard; more where so little is kept of a pair that all of it stays in a cache.
SHARD_PAIRS, NARROW_PAIRS, NARROW_BYTES = 64, 256, 8e6
# Of the memory, a half is for kept clean values and a half for what a batch holds.
_SHARE = 0.5
# What a plan is packed for where its spec names no budget; a run looks at the memory that there is.
NOMINAL_BUDGET = 2.0 * 2**30
# An operation's workspace and gathered clean values come on top of the activations that are alive.
_SLACK = 2.0
# Bytes a number of the output: its change in float64, and what readouts make of it.
_MEASURED = 64.0
# Bytes of an arm: its patches, uses, id, and places in tables.
_ARM_BYTES = 1_600.0
# Columns of an outcome in addition to attributes: arm, pair, live, and two of the whole output.
_OTHER_COLUMNS = 5


@dataclass(frozen=True)
class Packing:
    """How many rows are run at once, and how many pairs are run and written together."""

    batch_rows: int
    shard_pairs: int


def fit(
    kept_bytes: float,
    row_bytes: float,
    budget: float,
    rows: int,
    written_bytes: float = 0.0,
    pairs: int = SHARD_PAIRS,
) -> Packing:
    """The largest batches, up to `rows` rows, and shards that `budget` allows.

    Where not even the smallest fits, the smallest is given: whether it runs is then for the machine to say.

    Parameters
    ----------
    kept_bytes : float
        Kept clean values of a pair; 0 where it is not known.
    row_bytes : float
        What a row holds at most while it is run.
    budget : float
        Bytes that one worker may hold.
    rows : int
        Rows that are wanted.
    written_bytes : float
        Outcomes of a pair, of all arms: a shard holds them until it is written.
    pairs : int
        Pairs of a shard that are wanted; more of a narrow network.
    """
    half = _SHARE * budget
    rows = _within(half, row_bytes, rows)
    pairs = NARROW_PAIRS if 0 < kept_bytes * NARROW_PAIRS <= NARROW_BYTES else pairs
    while pairs > 1 and pairs * (kept_bytes + written_bytes) > half:
        pairs //= 2
    return Packing(rows, pairs)


def _within(room: float, row_bytes: float, rows: int) -> int:
    """Up to `rows` rows, a multiple of the fewest where there is no room for all."""
    if row_bytes <= 0 or rows * row_bytes <= room:
        return rows
    return min(rows, max(FEWEST_ROWS, int(room / row_bytes) // FEWEST_ROWS * FEWEST_ROWS))


def rows_at_once(memory: int | None, components: ComponentMap, most: int) -> int:
    """How many rows, up to `most`, a check of the whole network may run at once.

    Parameters
    ----------
    memory : int or None
        Bytes that a run may hold; None takes the bytes that a plan is packed for.
    components : ComponentMap
    most : int
    """
    return _within(_SHARE * (memory or NOMINAL_BUDGET), row_bytes(components, output_numbers(components)), most)


def output_numbers(components: ComponentMap) -> int:
    """How many numbers the network's output has; 0 where its operations are not known."""
    return int(components.operations[-1].size / 4) if components.operations else 0


def written_bytes(plan: Plan) -> float:
    """Bytes of outcomes of a pair of the cohort with the most arms, as the shard's table and its file hold them."""
    arms = Counter(arm.cohort for arm in plan.arms)
    return 2.0 * max(arms.values(), default=0) * 8 * (len(plan.attributes) + _OTHER_COLUMNS)


def plan_bytes(plan: Plan) -> float:
    """Bytes that the plan itself takes, with the index of its outcomes: measured on plans of 90,000 arms."""
    return _ARM_BYTES * len(plan.arms)


def row_bytes(components: ComponentMap, outputs: int) -> float:
    """Bytes that a row holds at most while it is run and its `outputs` numbers are measured."""
    alive = components.row_bytes or sum(operation.bytes for operation in components.operations)
    return _SLACK * alive + _MEASURED * outputs


def kept_bytes(plan: Plan, components: ComponentMap) -> float:
    """About how many bytes of clean values are kept for a pair of the cohort that needs most."""
    return max((_kept_of(plan, components, cohort.name) for cohort in plan.cohorts), default=0.0)


def _kept_of(plan: Plan, components: ComponentMap, cohort: str) -> float:
    sides: dict[Side, set[int]] = {"base": set(), "counterfactual": set()}
    # What donors and inner runs give.
    further = 0.0
    apart: set[tuple[str, ValueSource]] = set()
    for arm in with_inner(arm for arm in plan.arms if arm.cohort == cohort):
        for patch in arm.patches:
            site = components.site(patch.site)
            sides[arm.side] |= site.reads
            if len(arm.patches) == 1 and plan.options.low_rank:
                sides[arm.side] |= site.downstream
            if (patch.source.has_donors or patch.source.upstream) and (patch.site, patch.source) not in apart:
                apart.add((patch.site, patch.source))
                further += 4.0 * prod(site.shape)
    sizes = [operation.size for operation in components.operations]
    return further + sum(sizes[place] for places in sides.values() for place in places)


def pack_rows(plan: Plan, components: ComponentMap) -> Plan:
    """Choose batch and shard sizes; a run chooses again by the memory that it finds where the spec leaves that open."""
    budget = max(0.0, (plan.memory or NOMINAL_BUDGET) - plan_bytes(plan))
    each = row_bytes(components, output_numbers(components))
    packing = fit(kept_bytes(plan, components), each, budget, plan.batch_rows, written_bytes(plan))
    after = replace(
        plan,
        options=replace(plan.options, pack=True),
        shard_pairs=packing.shard_pairs,
        batch_rows=packing.batch_rows if plan.auto_rows else plan.batch_rows,
    )
    note = f"batches of {after.batch_rows} rows, shards of {after.shard_pairs} pairs"
    return replace(after, passes=(*plan.passes, record("pack", plan, after, components, note)))
