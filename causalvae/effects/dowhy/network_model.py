"""The network as a graphical causal model of DoWhy, on treatment -> mediators -> outcome and treatment -> outcome.

Nodes: ``unit``, which pair; ``treatment``, 0 for the base input x and 1 for the counterfactual x'; ``mediators``, the
side that their value is of, c(x) or c(x') of the unit, which copies the treatment unless it is set; ``outcome``, what
the network answered to the unit's input with these mediators. The last mechanism is the crossed patch design itself:
the network was run in all four arms of every pair, so that the table is the network on all that the graph can ask for,
whatever the mediators are and however many. Nothing is fitted.

Natural effects are then plain interventions on two nodes, do(treatment = t, mediators = m), which DoWhy composes by its
own abduction, action and prediction. An arrow's strength (Janzing et al. 2013, with the variance for a distance) is the
variance of the outcome that comes of randomising what that arrow alone carries, all else as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.changes import VectorChanges
from causalvae.effects.dowhy.crossed import TOLERANCE
from causalvae.effects.dowhy.quiet import quietly
from causalvae.effects.mediation import MediationArms
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.scale import Vector

UNIT, TREATMENT, MEDIATORS, OUTCOME = "unit", "treatment", "mediators", "outcome"
PARENTS = (TREATMENT, MEDIATORS, UNIT)

# Standard errors that a Monte-Carlo value may lie from the exact one: one in 16,000 lies further by chance.
SPREAD = 4.0

# Effect -> sides of (treatment, mediators) that it goes from and to.
PATHS: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "total_effect": ((0, 0), (1, 1)),
    "natural_direct_effect": ((0, 0), (1, 0)),
    "natural_indirect_effect": ((0, 0), (0, 1)),
    "total_indirect_effect": ((1, 0), (1, 1)),
}


@dataclass(frozen=True)
class Sampled:
    """A Monte-Carlo value, its standard error, and the exact value that it should be near.

    Parameters
    ----------
    name : str
        The effect, or the parent whose arrow to the outcome it is the strength of.
    value, error, exact : float
    rounding : float
        What rounding may add to the error.
    """

    name: str
    value: float
    error: float
    exact: float
    rounding: float

    @property
    def tolerance(self) -> float:
        """How far `value` may lie from `exact`."""
        return SPREAD * self.error + self.rounding

    @property
    def agrees(self) -> bool:
        """Whether it lies that near."""
        return abs(self.value - self.exact) <= self.tolerance


@dataclass(frozen=True)
class NetworkModel:
    """The network's answers to every pair in the four arms, and DoWhy's structural model made of them.

    Parameters
    ----------
    answers : float array, shape (2, 2, n)
        By the mediators' side, the treatment, and the pair.
    """

    answers: FloatArray

    @property
    def n(self) -> int:
        """Pairs."""
        return int(self.answers.shape[2])

    @property
    def rounding(self) -> float:
        """What rounding may come to: `TOLERANCE` of the largest outcome."""
        return TOLERANCE * max(float(np.abs(self.answers).max()), float(np.finfo(np.float64).tiny))

    def exact(self, path: str) -> FloatArray:
        """The effect of each pair, shape (n,)."""
        (low_t, low_m), (high_t, high_m) = PATHS[path]
        return np.asarray(self.answers[high_m, high_t] - self.answers[low_m, low_t])

    @cached_property
    def structural(self) -> Any:
        """DoWhy's `InvertibleStructuralCausalModel`."""
        with quietly():
            import networkx as nx
            from dowhy.gcm import InvertibleStructuralCausalModel
            from dowhy.gcm.causal_models import PARENTS_DURING_FIT

            from causalvae.effects.dowhy.mechanisms import Tabulated, distribution_of

            edges = [(TREATMENT, MEDIATORS), *((parent, OUTCOME) for parent in PARENTS)]
            model = InvertibleStructuralCausalModel(nx.DiGraph(edges))
            model.set_causal_mechanism(UNIT, distribution_of(np.arange(self.n, dtype=np.float64)))
            model.set_causal_mechanism(TREATMENT, distribution_of(np.array([0.0, 1.0])))
            model.set_causal_mechanism(MEDIATORS, Tabulated(np.array([0.0, 1.0])))
            model.set_causal_mechanism(OUTCOME, Tabulated(self.answers))
            # DoWhy refuses mechanisms that it has not seen fitted to their parents; these need no fit.
            for node in model.graph.nodes:
                model.graph.nodes[node][PARENTS_DURING_FIT] = sorted(model.graph.predecessors(node))
        return model


def open_network_model(
    outcomes: Outcomes, arms: MediationArms, outcome: str, vector: Vector | None = None
) -> NetworkModel:
    """The model of one mediation and outcome; pairs whose outcome is undefined in an arm are omitted.

    Parameters
    ----------
    outcomes : Outcomes
    arms : MediationArms
    outcome : str
        An attribute without a period: values on a circle have no mean that an effect could be the difference of.
    vector : Vector, optional
        What the outcome is, where it is a vector: an answer is then how far it lies from the pair's base run along the
        pair's total change.
    """
    names = (arms.base, arms.necessity, arms.sufficiency, arms.counterfactual)
    pairs = outcomes.pairs(names)
    if vector is None:
        answers = outcomes.block(names, outcome, pairs)
    else:
        answers = VectorChanges(outcomes, arms.base, arms.counterfactual, vector).between(names, arms.base, pairs)
    return NetworkModel(answers[:, np.isfinite(answers).all(axis=0)].reshape(2, 2, -1))


def counterfactual_effects(model: NetworkModel, path: str) -> FloatArray:
    """The effect of each pair as DoWhy finds it by abduction from the base runs, shape (n,)."""
    observed = pd.DataFrame(
        {
            UNIT: np.arange(model.n, dtype=np.float64),
            TREATMENT: np.zeros(model.n),
            MEDIATORS: np.zeros(model.n),
            OUTCOME: model.answers[0, 0],
        }
    )
    with quietly():
        from dowhy import gcm

        low, high = (
            gcm.counterfactual_samples(model.structural, _setting(*side), observed_data=observed)[OUTCOME]
            for side in PATHS[path]
        )
    return np.asarray(high - low, np.float64)


def sampled_effect(model: NetworkModel, path: str, draws: int, seed: int) -> Sampled:
    """An effect from `draws` units of DoWhy's interventional distributions (``average_causal_effect``).

    Its standard error is that of a mean over units drawn with replacement, both settings on the same ones.
    """
    low, high = PATHS[path]
    with quietly(seed):
        from dowhy import gcm

        value = gcm.average_causal_effect(
            model.structural, OUTCOME, _setting(*high), _setting(*low), num_samples_to_draw=draws
        )
    effects = model.exact(path)
    return Sampled(path, float(value), float(effects.std() / np.sqrt(draws)), float(effects.mean()), model.rounding)


def arrow_strengths(model: NetworkModel, runs: int, draws: int, seed: int) -> tuple[Sampled, ...]:
    """Variance of the outcome that the arrows from the treatment and from the mediators carry, in squared units.

    Parameters
    ----------
    model : NetworkModel
    runs : int
        Units whose arrows are randomised.
    draws : int
        Values that an arrow is given for each of them.
    seed : int

    Notes
    -----
    Of an arrow with two equally frequent values the variance is a quarter of the squared change, so that the exact
    strengths are mean(NDE^2 + (TE - NIE)^2) / 8 for the treatment's arrow, and mean(NIE^2 + TIE^2) / 8 for the
    mediators'. DoWhy's rule to stop once the running mean hardly changes is switched off: it stops too early where
    units differ, and leaves an error that is not known.
    """
    with quietly(seed):
        from dowhy import gcm

        settings = {"num_samples_conditional": draws, "max_num_runs": runs - 1, "tolerance": 0.0, "n_jobs": 1}
        found = gcm.arrow_strength(model.structural, OUTCOME, **settings)
    sampled = []
    for parent, (first, second) in {
        TREATMENT: (model.answers[0, 1] - model.answers[0, 0], model.answers[1, 1] - model.answers[1, 0]),
        MEDIATORS: (model.answers[1, 0] - model.answers[0, 0], model.answers[1, 1] - model.answers[0, 1]),
    }.items():
        variances = np.concatenate([first, second]) ** 2 / 4
        # A variance of `draws` fair coins falls short by one part in `draws` and scatters by about as much.
        shortfall, mean = 1 - 1 / draws, float(variances.mean())
        error = float(variances.std() / np.sqrt(runs)) + mean / draws
        sampled.append(
            Sampled(
                parent, float(found[(parent, OUTCOME)]) / shortfall, error, mean, float(model.rounding * np.sqrt(mean))
            )
        )
    return tuple(sampled)


def _setting(treatment: int, mediators: int) -> dict[str, Any]:
    """do(treatment = ., mediators = .), as DoWhy takes it: functions of one value."""
    return {TREATMENT: lambda _: float(treatment), MEDIATORS: lambda _: float(mediators)}
