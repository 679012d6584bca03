"""What a plan will cost, before it is run."""

from __future__ import annotations

from causalvae.models.components import ComponentMap
from causalvae.plan.types import Arm, Plan


def rows(plan: Plan) -> int:
    """Rows of all arms: (input, intervention) pairs."""
    return sum(arm.pairs for arm in plan.arms)


def arm_cost(arm: Arm, components: ComponentMap, rerun: str) -> float:
    """FLOPs of one row of an arm, as a share of a whole forward pass.

    With several patches the most upstream one counts, as all others lie downstream of it or beside it.
    """
    if not arm.patches or rerun != "suffix":
        return 1.0
    return max(components.site(patch.site).rerun_cost for patch in arm.patches)


def forwards(plan: Plan, components: ComponentMap) -> float:
    """The cost of all arms in whole forward passes, dead rows counted as run."""
    rerun = str(plan.options.get("rerun", "full"))
    return sum(arm.pairs * arm_cost(arm, components, rerun) for arm in plan.arms)
