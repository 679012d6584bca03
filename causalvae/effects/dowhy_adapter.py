"""The same effects from DoWhy, and its refuters: the only module that imports dowhy.

DoWhy's own mediation estimator is right only for linear models, one mediator and a contrast of one. But every pair is
run in four arms, treatment T (which input) times A (whose mediator value is patched in), so each natural effect is a
randomised contrast on a graph of two nodes, which DoWhy identifies, estimates and refutes properly for any network, set
of mediators and contrast:

- pure natural indirect effect: rows T = 0, contrast of A;
- total indirect effect: rows T = 1, contrast of A;
- natural direct effect: rows A = 0, contrast of T;
- total effect: rows T = A, contrast of T.

DoWhy's regression does not know that the arms share their pairs, so its intervals are far too wide; the paired ones of
`causalvae.effects.mediation` are the ones to report.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.mediation import MediationArms, PairEffects
from causalvae.effects.outcomes import Outcomes, difference
from causalvae.effects.types import Refutation
from causalvae.errors import CausalVAEError

TOLERANCE = 1e-9
LEVEL = 0.05

RULES = {
    "placebo": (
        "The arm labels are shuffled, so the effect must vanish; passed when zero lies within the shuffled effects "
        f"(p > {LEVEL:g})."
    ),
    "random_common_cause": (
        "A random variable is added as a confounder, so the effect must stay; passed when the effect lies within the "
        f"re-estimated ones (p > {LEVEL:g})."
    ),
    "subset": (
        "The effect is estimated again on random subsets of 80% of the rows, so it must stay; passed when the effect "
        f"lies within the re-estimated ones (p > {LEVEL:g})."
    ),
}


@dataclass(frozen=True)
class Contrast:
    """One natural effect as rows for DoWhy.

    Parameters
    ----------
    estimand : str
        total_effect, natural_direct_effect, natural_indirect_effect or total_indirect_effect.
    treatment : {"T", "A"}
        The column that is contrasted.
    rows : DataFrame
        ``T`` and ``A`` (0.0 or 1.0) and the outcome ``Y``.
    exact : float
        The mean of the exact per-pair effects.
    """

    estimand: str
    treatment: str
    rows: pd.DataFrame
    exact: float


@dataclass(frozen=True)
class DoWhyEffect:
    """What DoWhy says of one contrast: estimate, and its own (unpaired) interval."""

    contrast: Contrast
    value: float
    lower: float
    upper: float
    expression: str
    fitted: Any
    identified: Any


def crossed_contrasts(
    outcomes: Outcomes, arms: MediationArms, effects: PairEffects, period: float | None = None
) -> tuple[Contrast, ...]:
    """The crossed patch design of one mediation, as four contrasts.

    Parameters
    ----------
    outcomes : Outcomes
    arms : MediationArms
    effects : PairEffects
        The exact effects on an attribute (not the image).
    period : float, optional
        The attribute's period. Values on a circle have no mean, so each contrast's outcome is then the wrapped
        difference from the arm that its effect is measured from.
    """
    n = outcomes.pairs((arms.base, arms.counterfactual, arms.sufficiency, arms.necessity))
    cells = {
        (0.0, 0.0): outcomes.values(arms.base, effects.outcome, n),
        (0.0, 1.0): outcomes.values(arms.sufficiency, effects.outcome, n),
        (1.0, 0.0): outcomes.values(arms.necessity, effects.outcome, n),
        (1.0, 1.0): outcomes.values(arms.counterfactual, effects.outcome, n),
    }
    finite = np.isfinite(np.stack(list(cells.values()))).all(axis=0)
    cells = {cell: values[finite] for cell, values in cells.items()}
    designs = (
        ("total_effect", "T", (0.0, 0.0), (1.0, 1.0), effects.total),
        ("natural_direct_effect", "T", (0.0, 0.0), (1.0, 0.0), effects.direct),
        ("natural_indirect_effect", "A", (0.0, 0.0), (0.0, 1.0), effects.indirect),
        ("total_indirect_effect", "A", (1.0, 0.0), (1.0, 1.0), effects.total_indirect),
    )
    return tuple(
        Contrast(estimand, treatment, _rows(cells, low, high, period), float(exact.mean()))
        for estimand, treatment, low, high, exact in designs
    )


def estimate_with_dowhy(contrast: Contrast, confidence: float = 0.95) -> DoWhyEffect:
    """Identify and estimate one contrast with DoWhy (backdoor, linear regression), its interval at `confidence`.

    Raises
    ------
    CausalVAEError
        CV505 where DoWhy's value is not the exact one within `TOLERANCE` of the outcome's size: then one of the two
        reads the tables wrongly, and neither may be reported.
    """
    with _quietly():
        import networkx as nx
        from dowhy.causal_estimators.linear_regression_estimator import LinearRegressionEstimator
        from dowhy.causal_identifier import EstimandType, identify_effect_auto

        name = contrast.treatment
        identified = identify_effect_auto(
            nx.DiGraph([(name, "Y")]),
            action_nodes=[name],
            outcome_nodes=["Y"],
            observed_nodes=[name, "Y"],
            estimand_type=EstimandType.NONPARAMETRIC_ATE,
        )
        identified.set_identifier_method("backdoor")
        data = contrast.rows[[name, "Y"]]
        estimator = LinearRegressionEstimator(identified, confidence_intervals=True)
        fitted = estimator.fit(data).estimate_effect(
            data, treatment_value=1.0, control_value=0.0, target_units="ate", confidence_intervals=True
        )
        value = float(fitted.value)
        lower, upper = (float(end) for end in np.ravel(fitted.get_confidence_intervals(confidence_level=confidence)))
    size = max(float(np.abs(contrast.rows["Y"].to_numpy()).max()), np.finfo(np.float64).tiny)
    if not abs(value - contrast.exact) <= TOLERANCE * size:
        raise CausalVAEError(
            "CV505",
            f"DoWhy's {contrast.estimand} is {value:.12g}, the exact one {contrast.exact:.12g}.",
            "Report this as a fault of causalvae; estimation: {dowhy: false} leaves the cross-check out.",
            contrast.estimand,
        )
    return DoWhyEffect(contrast, value, lower, upper, str(identified), fitted, identified)


def refute_with_dowhy(
    effect: DoWhyEffect, refuters: Sequence[str], simulations: int, seed: int, outcome: str, owner: str
) -> tuple[Refutation, ...]:
    """Run DoWhy's refuters on one effect.

    Parameters
    ----------
    effect : DoWhyEffect
    refuters : sequence of {"placebo", "random_common_cause", "subset"}
    simulations : int
        Of each refuter.
    seed : int
    outcome, owner : str
        Handed on to the results.

    Notes
    -----
    Each refuter gets its own ``RandomState``: an integer seed would make every simulation of the subset refuter draw
    the same rows. DoWhy's p-value is one-sided from a normal distribution below 100 simulations and two-sided from
    ranks above. Where the simulations are all equal DoWhy's p-value is undefined or decided by rounding; then agreement
    within `TOLERANCE` passes.
    """
    return tuple(_refute(effect, name, simulations, seed, outcome, owner) for name in refuters)


def _refute(effect: DoWhyEffect, name: str, simulations: int, seed: int, outcome: str, owner: str) -> Refutation:
    treatment = effect.contrast.treatment
    data = effect.contrast.rows[[treatment, "Y"]]
    shared: dict[str, Any] = {
        "num_simulations": simulations,
        "random_state": _random_state(seed),
        "show_progress_bar": False,
        "n_jobs": 1,
    }
    with _quietly():
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


def _random_state(seed: int) -> np.random.RandomState:
    """A legacy generator from a seed of any size; given an integer it takes no more than 32 bits."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))


def _rows(
    cells: dict[tuple[float, float], FloatArray],
    low: tuple[float, float],
    high: tuple[float, float],
    period: float | None,
) -> pd.DataFrame:
    """Rows of two cells; both are kept relative to the lower one where the outcome has a period."""
    below, above = cells[low], cells[high]
    if period is not None:
        below, above = np.zeros_like(below), difference(above, below, period)
    n = len(below)
    return pd.DataFrame(
        {
            "T": np.repeat([low[0], high[0]], n),
            "A": np.repeat([low[1], high[1]], n),
            "Y": np.concatenate([below, above]),
        }
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Hold back dowhy's warnings and log lines, and keep numerical libraries to one thread; both only inside."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    logger = logging.getLogger("dowhy")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
