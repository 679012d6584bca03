"""Dead rows: a row whose patched value equals the clean one has the clean outcome and is not run."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.types import Plan


def skip_dead_rows(plan: Plan, components: ComponentMap) -> Plan:
    """Leave out dead rows; how many there are is known only when the values are, so the record shows an upper bound."""
    after = replace(plan, options={**plan.options, "skip_dead_rows": True})
    done = record("dead_rows", plan, after, components, "at most; the run tells how many rows were dead")
    return replace(after, passes=(*plan.passes, done))
