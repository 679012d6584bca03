"""Shared runs: equal arms are run once, whatever they are used for."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.types import Arm, Plan


def share_arms(plan: Plan, components: ComponentMap) -> Plan:
    """Keep one of each arm.

    Two arms are equal when their content is; an arm that another one covers with more pairs is not merged, since an
    arm's identity includes how many pairs it runs.
    """
    unique: dict[str, Arm] = {}
    for arm in plan.arms:
        unique.setdefault(arm.id, arm)
    shared = replace(plan, arms=tuple(unique.values()))
    note = f"{len(plan.arms)} arms asked for, {len(unique)} distinct"
    done = record("share", plan, shared, components, note)
    return replace(shared, passes=(*plan.passes, done))
