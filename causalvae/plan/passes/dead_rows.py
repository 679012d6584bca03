"""Dead rows: a row whose patched value equals the clean one has the clean outcome and is not run."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import forwards, rows
from causalvae.plan.types import PassRecord, Plan


def skip_dead_rows(plan: Plan, components: ComponentMap) -> Plan:
    """Leave out dead rows; how many there are is known only when the values are, so the record shows an upper bound."""
    after = replace(plan, options={**plan.options, "skip_dead_rows": True})
    count, cost = rows(plan), forwards(plan, components)
    record = PassRecord("dead_rows", count, count, cost, cost, "at most; the run tells how many rows were dead")
    return replace(after, passes=(*plan.passes, record))
