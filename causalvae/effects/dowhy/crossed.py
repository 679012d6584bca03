"""The crossed patch design: every pair in four arms, each natural effect a randomised contrast for DoWhy.

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

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from causalvae.collector import uncollected
from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.changes import changes_of
from causalvae.effects.dowhy.quiet import quietly
from causalvae.effects.mediation import MediationArms, PairEffects
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.scale import Vector

TOLERANCE = 1e-9

# Treatment and mediators, each 0.0 (the base input's) or 1.0 (the counterfactual one's).
Cell = tuple[float, float]


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
    """What DoWhy says of one contrast.

    Parameters
    ----------
    contrast : Contrast
    value : float
        Its estimate.
    lower, upper : float
        Its own interval, which ignores that arms share their pairs.
    expression : str
        The estimand as DoWhy identifies and prints it.
    fitted, identified : object
        DoWhy's estimate and estimand, for its refuters.
    """

    contrast: Contrast
    value: float
    lower: float
    upper: float
    expression: str
    fitted: Any
    identified: Any

    @property
    def tolerance(self) -> float:
        """What rounding may come to: `TOLERANCE` of the largest outcome."""
        return TOLERANCE * max(
            float(np.abs(self.contrast.rows["Y"].to_numpy()).max()), float(np.finfo(np.float64).tiny)
        )

    @property
    def agrees(self) -> bool:
        """Whether the value is the exact one to rounding; otherwise one of the two reads the tables wrongly."""
        return abs(self.value - self.contrast.exact) <= self.tolerance


def crossed_contrasts(
    outcomes: Outcomes,
    arms: MediationArms,
    effects: PairEffects,
    period: float | None = None,
    vector: Vector | None = None,
) -> tuple[Contrast, ...]:
    """The crossed patch design of one mediation, as four contrasts.

    Parameters
    ----------
    outcomes : Outcomes
    arms : MediationArms
    effects : PairEffects
        The exact effects on an attribute or a vector (not the image).
    period : float, optional
        The attribute's period. Values on a circle have no mean, so each contrast's outcome is then the wrapped
        difference from the arm that its effect is measured from; so it is of a vector with such a component.
    vector : Vector, optional
        What the outcome is, where it is a vector: a row's outcome is then how far it lies from the pair's base run
        along the pair's total change.
    """
    n = outcomes.pairs((arms.base, arms.counterfactual, arms.sufficiency, arms.necessity))
    cells = {
        (0.0, 0.0): arms.base,
        (0.0, 1.0): arms.sufficiency,
        (1.0, 0.0): arms.necessity,
        (1.0, 1.0): arms.counterfactual,
    }
    changes = changes_of(outcomes, arms.base, arms.counterfactual, effects.outcome, period, vector)
    if vector is None:
        values = outcomes.block(list(cells.values()), effects.outcome, n)
    else:
        values = changes.between(list(cells.values()), arms.base, n)
    finite = np.isfinite(values).all(axis=0)
    places = dict(zip(cells, values[:, finite], strict=True))
    on_circle = period is not None or (vector is not None and vector.on_circle)

    def rows(low: Cell, high: Cell) -> pd.DataFrame:
        below, above = places[low], places[high]
        if on_circle:
            below, above = np.zeros_like(below), changes.between((cells[high],), cells[low], n)[0][finite]
        return _rows(low, high, below, above)

    designs = (
        ("total_effect", "T", (0.0, 0.0), (1.0, 1.0), effects.total),
        ("natural_direct_effect", "T", (0.0, 0.0), (1.0, 0.0), effects.direct),
        ("natural_indirect_effect", "A", (0.0, 0.0), (0.0, 1.0), effects.indirect),
        ("total_indirect_effect", "A", (1.0, 0.0), (1.0, 1.0), effects.total_indirect),
    )
    return tuple(
        Contrast(estimand, treatment, rows(low, high), float(exact.mean()))
        for estimand, treatment, low, high, exact in designs
    )


def estimate_with_dowhy(contrast: Contrast, confidence: float = 0.95) -> DoWhyEffect:
    """Identify and estimate one contrast with DoWhy (backdoor, linear regression), its interval at `confidence`.

    Notes
    -----
    Nothing is raised where the value differs from the exact one: who reports it must ask `DoWhyEffect.agrees`.
    """
    with quietly():
        import networkx as nx

        with uncollected():
            from dowhy.causal_identifier import EstimandType, identify_effect_auto

            from causalvae.effects.dowhy.regression import Regression

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
        estimator = Regression(identified, confidence_intervals=True)
        fitted = estimator.fit(data).estimate_effect(
            data, treatment_value=1.0, control_value=0.0, target_units="ate", confidence_intervals=True
        )
        value = float(fitted.value)
        lower, upper = (float(end) for end in np.ravel(fitted.get_confidence_intervals(confidence_level=confidence)))
    return DoWhyEffect(contrast, value, lower, upper, _expression(identified), fitted, identified)


def _expression(identified: Any) -> str:
    """DoWhy's estimand in a line: how it is identified, the expression, and what that assumes."""
    name = identified.identifier_method
    found = identified.estimands[name]
    assumptions = "; ".join(f"{title}: {text}" for title, text in found["assumptions"].items())
    return f"{name}: {found['estimand']}; assuming {assumptions}"


def _rows(low: Cell, high: Cell, below: FloatArray, above: FloatArray) -> pd.DataFrame:
    """Rows of two cells and their outcomes."""
    n = len(below)
    return pd.DataFrame(
        {
            "T": np.repeat([low[0], high[0]], n),
            "A": np.repeat([low[1], high[1]], n),
            "Y": np.concatenate([below, above]),
        }
    )
