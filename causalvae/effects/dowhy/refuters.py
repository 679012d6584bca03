"""DoWhy's refuters, seeded so that their simulations differ, each with its rule in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from causalvae.effects.dowhy.crossed import TOLERANCE, DoWhyEffect
from causalvae.effects.dowhy.quiet import quietly, random_state
from causalvae.effects.types import Refutation
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner

LEVEL = 0.05

RULES = {
    "placebo": (
        "Asks whether the estimator finds an effect where there is none: the arm labels are shuffled, so the effect "
        f"must vanish. Passed when zero lies within the effects of the shuffled labels (p > {LEVEL:g})."
    ),
    "random_common_cause": (
        "Asks whether a variable that has nothing to do with the effect changes it: random numbers are adjusted for as "
        f"if they were a confounder. Passed when the effect lies within the adjusted ones (p > {LEVEL:g})."
    ),
    "subset": (
        "Asks whether the effect depends on a few rows: it is estimated again on random 80% of them. Passed when the "
        f"effect lies within the re-estimated ones (p > {LEVEL:g})."
    ),
    "bootstrap": (
        "Asks whether another sample of the same size would give the same result: rows are drawn with replacement and "
        f"the effect is estimated again. Passed when the effect lies within the re-estimated ones (p > {LEVEL:g})."
    ),
}


def refute_with_dowhy(
    effect: DoWhyEffect, refuters: Sequence[str], simulations: int, seed: int, outcome: str, owner: Owner
) -> tuple[Refutation, ...]:
    """Run DoWhy's refuters on one effect.

    Parameters
    ----------
    effect : DoWhyEffect
    refuters : sequence of {"placebo", "random_common_cause", "subset", "bootstrap"}
    simulations : int
        Of each refuter.
    seed : int
    outcome, owner : str
        Handed on to the results.

    Notes
    -----
    Each refuter gets its own ``RandomState``: an integer seed would make every simulation of the subset and the
    bootstrap refuter draw the same rows. DoWhy's p-value is one-sided from a normal distribution below 100 simulations
    and two-sided from ranks above. Where the simulations are all equal DoWhy's p-value is undefined or decided by
    rounding; then agreement within `TOLERANCE` passes.
    """
    return tuple(_refute(effect, name, simulations, seed, outcome, owner) for name in refuters)


def _refute(effect: DoWhyEffect, name: str, simulations: int, seed: int, outcome: str, owner: Owner) -> Refutation:
    treatment = effect.contrast.treatment
    data = effect.contrast.rows[[treatment, "Y"]]
    shared: dict[str, Any] = {
        "num_simulations": simulations,
        "random_state": random_state(seed),
        "show_progress_bar": False,
        "n_jobs": 1,
    }
    with quietly():
        if name == "placebo":
            from dowhy.causal_refuters.placebo_treatment_refuter import PlaceboType, refute_placebo_treatment

            answer = refute_placebo_treatment(
                data, effect.identified, effect.fitted, treatment_names=[treatment], placebo_type=PlaceboType.PERMUTE,
                **shared,
            )  # fmt: skip
        elif name == "random_common_cause":
            from dowhy.causal_refuters.random_common_cause import refute_random_common_cause

            answer = refute_random_common_cause(data, effect.identified, effect.fitted, **shared)
        elif name == "subset":
            from dowhy.causal_refuters.data_subset_refuter import refute_data_subset

            answer = refute_data_subset(data, effect.identified, effect.fitted, **shared)
        elif name == "bootstrap":
            from dowhy.causal_refuters.bootstrap_refuter import refute_bootstrap

            answer = refute_bootstrap(data, effect.identified, effect.fitted, **shared)
        else:
            raise CausalVAEError(
                "CV506", f"There is no refuter {name!r}.", f"Choose from {', '.join(RULES)}.", "estimation.refute"
            )
    refuted = float(answer.new_effect)
    p_value = float(answer.refutation_result["p_value"])
    expected = 0.0 if name == "placebo" else effect.value
    size = float(np.abs(data["Y"].to_numpy()).max())
    agrees = abs(refuted - expected) <= TOLERANCE * size
    if agrees and not p_value > LEVEL:
        p_value = 1.0
    return Refutation(
        refuter=name,
        estimand=effect.contrast.estimand,
        outcome=outcome,
        owner=owner,
        original=effect.value,
        refuted=refuted,
        p_value=p_value,
        passed=bool(p_value > LEVEL),
        rule=RULES[name],
    )
