"""Which sweeps are screened, and what stands for the chosen arms before they are known."""

from __future__ import annotations

from dataclasses import replace

from causalvae.plan.types import Plan


def needed_elsewhere(plan: Plan) -> frozenset[str]:
    """Ids of the arms that are run whatever a screen says: those with a use that no screen ranks."""
    screened = {(use.owner, use.role, use.index) for screen in plan.screens for use in plan.candidates(screen)}
    return frozenset(use.arm for use in plan.uses if (use.owner, use.role, use.index) not in screened)


def thin_out(plan: Plan) -> Plan:
    """A plan with as many arms as will be run: of each screen's candidates some, evenly spaced.

    Which are run is known only once the screen has ranked them; these stand for them in a forecast.
    """
    chosen = set(needed_elsewhere(plan))
    for screen in plan.screens:
        uses = plan.candidates(screen)
        run = screen.kept + screen.checked
        chosen.update(uses[position * len(uses) // run].arm for position in range(run))
    return restrict_arms(plan, frozenset(chosen))


def restrict_arms(plan: Plan, arms: frozenset[str]) -> Plan:
    """The plan of `arms` alone; nothing is left to screen."""
    return replace(
        plan,
        arms=tuple(arm for arm in plan.arms if arm.id in arms),
        uses=tuple(use for use in plan.uses if use.arm in arms),
        screens=(),
    )
