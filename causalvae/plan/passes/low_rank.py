"""Low-rank entry: a patch of a few units enters the next linear operation as a difference of these units only."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.types import Plan


def enter_low_rank(plan: Plan, components: ComponentMap) -> Plan:
    """Compute the first linear operation after a patch of a few units as clean value plus the difference's share."""
    after = replace(plan, options={**plan.options, "low_rank": True})
    done = record("low_rank", plan, after, components, "patched units alone enter the next linear operation")
    return replace(after, passes=(*plan.passes, done))
