"""Windows: of an image-shaped value, only the part that a patch can reach is computed."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import forwards, rows
from causalvae.plan.types import PassRecord, Plan


def compute_windows(plan: Plan, components: ComponentMap) -> Plan:
    """Follow a patch of one position through convolutions, and compute only what lies in its reach.

    Builds on low-rank entry: without it nothing starts as a window.
    """
    after = replace(plan, options={**plan.options, "windows": True})
    count, cost = rows(plan), forwards(plan, components)
    record = PassRecord("windows", count, count, cost, cost, "only the part of an image within the patch's reach")
    return replace(after, passes=(*plan.passes, record))
