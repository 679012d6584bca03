"""Which sweeps are screened, and what stands for the chosen arms before they are known."""

from __future__ import annotations

import math
from dataclasses import replace

from causalvae.plan.owner import Owner
from causalvae.plan.types import Plan, Screen, Side
from causalvae.spec.schema import ActivationIntervention

_STEPS = 8


def make_screen(owner: Owner, side: Side, section: ActivationIntervention, candidates: int, seed: int) -> Screen:
    """The screen of one side of a sweep over `candidates` components.

    Raises
    ------
    ValueError
        Where the section has no screen.
    """
    screen = section.screen
    if screen is None:
        raise ValueError(f"{owner} has no screen")
    # The slack is for shares such as 0.1 in binary: a tenth of 30 components is 3 of them.
    kept = min(candidates, max(1, math.ceil(screen.keep * candidates - 1e-9)))
    return Screen(
        owner,
        side,
        screen.outcome,
        screen.method,
        (screen.steps or _STEPS) if screen.method == "integrated_gradients" else 1,
        kept,
        min(screen.check, candidates - kept),
        seed,
    )


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
