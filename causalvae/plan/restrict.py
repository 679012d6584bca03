"""Cuts a plan down to what serves some of its owners."""

from __future__ import annotations

from dataclasses import replace

from causalvae.plan.owner import OBSERVED_CONTROL, Owner
from causalvae.plan.types import OBSERVED, Arm, Controls, Plan, Role


def restrict(plan: Plan, owners: tuple[Owner, ...], roles: tuple[Role, ...], pairs: int) -> Plan:
    """The part of a plan that serves `owners` in `roles`, on the first `pairs` pairs, without traversals.

    The observed cohort stays, and its clean run where ``base`` is among the roles: it gives the attributes their scale.
    """
    owners = (*owners, OBSERVED_CONTROL)
    renamed: dict[str, Arm] = {}
    wanted = {use.arm for use in plan.uses if use.owner in owners and use.role in roles}
    for arm in plan.arms:
        if arm.id in wanted:
            renamed[arm.id] = replace(arm, pairs=min(arm.pairs, pairs))
    uses = tuple(
        replace(use, arm=renamed[use.arm].id) for use in plan.uses if use.owner in owners and use.role in roles
    )
    arms = tuple({arm.id: arm for arm in renamed.values()}.values())
    needed = {arm.cohort for arm in arms} | {OBSERVED}
    cohorts = tuple(
        replace(cohort, samples=min(cohort.samples, pairs)) for cohort in plan.cohorts if cohort.name in needed
    )
    screens = tuple(screen for screen in plan.screens if screen.owner in owners and "sweep" in roles)
    return replace(
        plan, cohorts=cohorts, arms=arms, uses=uses, traversals=(), passes=(), screens=screens, contrasts=(),
        controls=Controls(),
    )  # fmt: skip
