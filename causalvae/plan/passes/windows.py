"""Windows: of an image-shaped value, only the part that a patch can reach is computed."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.types import Plan


def compute_windows(plan: Plan, components: ComponentMap) -> Plan:
    """Follow a patch of one position through convolutions, and compute only what lies in its reach.

    Builds on low-rank entry: without it nothing starts as a window.
    """
    after = replace(plan, options={**plan.options, "windows": True})
    done = record("windows", plan, after, components, "only the part of an image within the patch's reach")
    return replace(after, passes=(*plan.passes, done))
