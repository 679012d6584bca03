"""Scores of candidates, pair by pair: what orders them for the search and for the curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from causalvae.analyses.discoveries.circuit_effects import FloatArray, IntArray
from causalvae.analyses.discoveries.edge_runs import EdgeRuns
from causalvae.analyses.discoveries.edge_scores import score_edges
from causalvae.analyses.discoveries.network_runs import INTERCHANGE, NetworkRuns
from causalvae.analyses.discoveries.relevance import with_relevance
from causalvae.analyses.discoveries.section import ScoreName
from causalvae.engine.attribution import Attribution
from causalvae.engine.screening import mean_over_pairs
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.owner import Owner
from causalvae.plan.types import Screen, ScreenMethod

EXACT: Final = ("single", "removal")
# Points of the line that integrated gradients are averaged along.
_STEPS: Final = 5


@dataclass(frozen=True)
class PairScores:
    """A score of each candidate on each pair.

    Parameters
    ----------
    name : str
        ``single``: the exact effect of the candidate's change alone, in the base run. ``removal``: the effect that is
        lost in the counterfactual run while it alone is held. ``attribution``, ``integrated_gradients``: first-order
        effects by gradients (`causalvae.engine.attribution`). ``relp``: the same with relevance coefficients.
    values : float array, shape (candidates, n)
        Exact effects times the total effect; sizes of first-order effects.
    """

    name: ScoreName
    values: FloatArray

    def over(self, pairs: IntArray | None = None) -> FloatArray:
        """The mean over some pairs, all where omitted, shape (candidates,)."""
        return mean_over_pairs(self.values if pairs is None else self.values[:, pairs])


def means(scores: Sequence[PairScores], pairs: IntArray | None = None) -> Mapping[ScoreName, FloatArray]:
    """Name -> mean over some pairs, as a search takes them."""
    return {score.name: score.over(pairs) for score in scores}


def score_candidates(
    runs: NetworkRuns, names: Sequence[ScoreName], pairs: IntArray | None = None
) -> tuple[PairScores, ...]:
    """Score every candidate; without ``relp`` where the network has no operator graph.

    Parameters
    ----------
    runs : NetworkRuns
    names : sequence of str
    pairs : int array, optional
        The pairs to take exact effects on, all where omitted; on others they are NaN. First-order effects cost so
        little that they are of all pairs.
    """
    singly = np.eye(len(runs.candidates), dtype=bool)
    chosen = np.arange(runs.pairs) if pairs is None else pairs
    found = []
    for name in names:
        if name in EXACT:
            values = np.full((len(singly), runs.pairs), np.nan)
            if name == "single":
                values[:, chosen] = runs.patched_on(chosen)(singly).along
            else:
                effects = runs.on(chosen)(~singly)
                values[:, chosen] = effects.total - effects.along
            found.append(PairScores(name, values))
        elif name != "relp" or isinstance(runs.runner.model.graph, OperatorGraph):
            found.append(PairScores(name, _first_order(runs, name)))
    return tuple(found)


def _first_order(runs: NetworkRuns, name: ScoreName) -> FloatArray:
    runner = runs.runner
    with torch.inference_mode(False):
        graph: Program = runner.model.graph.to(runner.device)
        if name == "relp" and isinstance(graph, OperatorGraph):
            graph = with_relevance(graph)
    if isinstance(runs, EdgeRuns):
        is_line = name == "integrated_gradients"
        return score_edges(runs, graph, _STEPS if is_line else 1, is_line)
    method: ScreenMethod = "integrated_gradients" if name == "integrated_gradients" else "attribution"
    screen = Screen(
        Owner("control", name), "base", runs.outcome, method, _STEPS if name == "integrated_gradients" else 1, 0, 0,
        runner.plan.seed,
    )  # fmt: skip
    arms = [runs.arm([candidate], "base", INTERCHANGE) for candidate in runs.parts]
    return Attribution(screen, arms, runner, graph, {}).of(runs.inputs)
