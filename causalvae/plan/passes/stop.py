"""Stop at the deepest requested outcome: nothing is computed after the last value that an attribute is measured on."""

from __future__ import annotations

from dataclasses import replace

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import record
from causalvae.plan.types import Plan


def stop_at_outcomes(plan: Plan, components: ComponentMap) -> Plan:
    """Leave the decoder out where every attribute is a latent; the change of the image is then not measured."""
    after = replace(plan, options={**plan.options, "stop": True})
    note = f"runs end at the {after.outputs[-1]}"
    done = record("stop", plan, after, components, note)
    return replace(after, passes=(*plan.passes, done))
