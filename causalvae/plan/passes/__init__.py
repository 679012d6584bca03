"""The plan's optimiser: passes that each take a plan and give a plan with the same meaning."""

from __future__ import annotations

from collections.abc import Callable

from causalvae.models.components import ComponentMap
from causalvae.plan.passes.pack import pack_rows
from causalvae.plan.passes.share import share_arms
from causalvae.plan.passes.shortcuts import (
    compute_windows,
    enter_low_rank,
    rerun_suffixes,
    skip_dead_rows,
    stop_at_outcomes,
)
from causalvae.plan.types import Plan

PlanPass = Callable[[Plan, ComponentMap], Plan]

PASSES: dict[str, PlanPass] = {
    "share": share_arms,
    "suffix": rerun_suffixes,
    "stop": stop_at_outcomes,
    "dead_rows": skip_dead_rows,
    "low_rank": enter_low_rank,
    "windows": compute_windows,
    "pack": pack_rows,
}


def optimise(plan: Plan, components: ComponentMap, names: tuple[str, ...] = tuple(PASSES)) -> Plan:
    """Apply the named passes in order."""
    for name in names:
        plan = PASSES[name](plan, components)
    return plan
