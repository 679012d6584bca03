"""Batch and shard sizes for a device and its free memory."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod
from pathlib import Path

import torch

from causalvae.engine.memory import free_memory
from causalvae.engine.needed_values import needed_values
from causalvae.engine.precision import dtype_of
from causalvae.engine.rerun import Shortcuts
from causalvae.engine.responses import ResponsePlan
from causalvae.files import json_text, read_json, write_once
from causalvae.models.loading import Model
from causalvae.plan.passes.pack import (
    CPU_BYTES,
    CPU_ROWS,
    GPU_ROWS,
    MOST_CPU_ROWS,
    SHARD_PAIRS,
    fit,
    plan_bytes,
    row_bytes,
    written_bytes,
)
from causalvae.plan.types import OBSERVED, Plan

# Share of the free memory used if the spec gives no budget.
_SHARE_OF_FREE = 0.25
# Shards that a worker has at least where they are of twice the usual size.
_EACH = 4


def pack_for(plan: Plan, model: Model, device: torch.device, workers: int) -> Plan:
    """The plan with batch and shard sizes for `device` and its free memory, divided among `workers`.

    Sizes given in the spec are unchanged. Measurements do not depend on the sizes.
    """
    if not plan.options.pack:
        return plan
    held = plan_bytes(plan) if device.type == "cpu" else 0.0
    budget = max(0.0, (plan.memory or _SHARE_OF_FREE * free_memory(device)) - held) / workers
    bytes_each = dtype_of(plan.options.precision).itemsize
    outputs = prod(model.graph.shape(model.graph.outputs["output"]))
    wanted = _wanted_rows(plan, model, device) if plan.auto_rows else plan.batch_rows
    kept = _kept_numbers(plan, model) * bytes_each
    packing = fit(
        kept,
        row_bytes(model.components, outputs) * bytes_each / 4,
        budget,
        wanted,
        written_bytes(plan),
        _wanted_pairs(plan, workers) if kept else SHARD_PAIRS,
    )
    rows = packing.batch_rows if plan.auto_rows else plan.batch_rows
    return replace(plan, batch_rows=rows, shard_pairs=packing.shard_pairs)


def _wanted_pairs(plan: Plan, workers: int) -> int:
    """Pairs of a shard if memory does not matter: twice the usual number if that leaves every worker several shards."""
    shards = sum(ceil(cohort.samples / (2 * SHARD_PAIRS)) for cohort in plan.cohorts)
    return 2 * SHARD_PAIRS if shards >= _EACH * workers else SHARD_PAIRS


def _wanted_rows(plan: Plan, model: Model, device: torch.device) -> int:
    """Rows of a batch if memory does not matter.

    More than usual on a CPU for many arms of a small network, where starting the operations takes much of the time.
    """
    if device.type == "cuda":
        return GPU_ROWS
    largest = max((operation.size for operation in model.components.operations), default=0.0)
    rows = CPU_ROWS
    while 2 * rows <= min(MOST_CPU_ROWS, len(plan.arms)) and 2 * rows * largest <= CPU_BYTES:
        rows *= 2
    return rows


def _kept_numbers(plan: Plan, model: Model) -> int:
    """Number of scalars kept per pair, in the cohort with the most."""
    shortcuts = Shortcuts.of(plan.options)
    responses = ResponsePlan(plan, model.graph, model.components)
    compared = responses.nodes if responses.pairs else frozenset()
    arms = [[arm for arm in plan.arms if arm.cohort == cohort.name] for cohort in plan.cohorts]
    return max(
        needed_values(model.graph, model.components, of_cohort, shortcuts, plan.outputs)
        .with_base(compared if cohort.name == OBSERVED else frozenset())
        .numbers(model.graph)
        for cohort, of_cohort in zip(plan.cohorts, arms, strict=True)
    )


def settle_shards(plan: Plan, path: Path) -> Plan:
    """The plan with the shard size stored at `path`; if there is none, its own is stored.

    A run resumed with less free memory must use the same shards. If two runs start at the same time, both use the size
    stored by the first.
    """
    write_once(path, json_text({"shard_pairs": plan.shard_pairs}))
    return replace(plan, shard_pairs=int(read_json(path)["shard_pairs"]))
