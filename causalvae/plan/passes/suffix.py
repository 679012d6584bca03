"""Prefix reuse: an arm re-runs only what lies downstream of its patches."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.types import Plan


def rerun_suffixes(plan: Plan, components: ComponentMap) -> Plan:
    """Re-run from the patched nodes on, taking everything before them from the kept clean run."""
    after = replace(plan, options={**plan.options, "rerun": "suffix"})
    done = record("suffix", plan, after, components, "only operations downstream of the patch run again")
    return replace(after, passes=(*plan.passes, done))
