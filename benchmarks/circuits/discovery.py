"""Circuits found: how well each score ranks the members of the true circuit, and whether the search ends with it.

A method of your own is added to `METHODS`: a function of the runs of one network and of the truth's target, which gives
the size of a score for each candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import causalvae
from benchmarks.circuits.networks import OUTCOME, TREATMENT, Network
from benchmarks.circuits.store import Job, Row
from causalvae.analyses.discoveries.circuit_effects import Remembered
from causalvae.analyses.discoveries.network_runs import NetworkRuns
from causalvae.analyses.discoveries.scores import means, score_candidates
from causalvae.analyses.discoveries.search import FoundCircuit, Target, search
from causalvae.analyses.discoveries.section import SCORES, ScoreName
from causalvae.engine.execute import choose_device
from causalvae.engine.runner import PlanRunner
from causalvae.models.components import ComponentRef
from causalvae.models.planted import CIRCUITS

# The smallest circuit of all scores, as `discoveries` reports it.
ALL: Final = "smallest of all"
_IDLE = {"dead": 4, "loud": {"count": 2, "scale": 50.0}}

Scores = npt.NDArray[np.float64]
Method = Callable[[NetworkRuns], Scores]


def _by_score(name: ScoreName, runs: NetworkRuns) -> Scores:
    return means(score_candidates(runs, (name,)))[name]


METHODS: Final[Mapping[str, Method]] = {name: partial(_by_score, name) for name in SCORES}


def open_runs(network: Network, pairs: int, seed: int) -> NetworkRuns:
    """All latents of a network as candidates, on pairs to search on."""
    session = network.open(network.spec(pairs, seed))
    plan = causalvae.compile_plan(session)
    runner = PlanRunner(plan, session.model, session.dataset, session.measure, choose_device("cpu"))
    latents = session.model.components.latent_dim
    candidates = [ComponentRef("latent", (unit,)) for unit in range(latents)]
    return NetworkRuns(runner.on_part("select"), plan.cohort(TREATMENT).name, candidates, OUTCOME)


def _search(network: Network, seed: int, pairs: int) -> list[Row]:
    from sklearn.metrics import roc_auc_score

    known, runs = network.truth, open_runs(network, pairs, seed)
    evaluate, target = Remembered(runs, len(runs.candidates)), Target(known.at_least)
    members = {unit for circuit in known.circuits["latent"] for unit in circuit}
    labels = [unit in members for unit in range(len(runs.candidates))]
    # Methods may have names in addition to those of the language.
    scores: dict[Any, Scores] = {name: method(runs) for name, method in METHODS.items()}
    found = search(evaluate, scores, target)
    # Of equal circuits the search keeps one for each score.
    by_score: dict[Any, FoundCircuit] = {circuit.score: circuit for circuit in found}

    def row(claimed: str, circuit: FoundCircuit) -> Row:
        units = tuple(int(unit) for unit in np.flatnonzero(circuit.members))
        said = "exact" if units in known.circuits["latent"] else "another"
        return Row("discovery", network.circuit, "", seed, pairs, claimed, said, tuple(f"latent[{u}]" for u in units))

    rows = [
        replace(row(name, by_score[name]), value=float(roc_auc_score(labels, np.abs(np.nan_to_num(score)))))
        for name, score in scores.items()
    ]
    return [*rows, row(ALL, found[0])]


def jobs(seeds: int, pairs: int) -> Iterator[Job]:
    """One for each circuit, with additional idle latents, and seed."""
    for seed in range(seeds):
        for circuit in CIRCUITS:
            run = partial(_search, Network(circuit, _IDLE), seed, pairs)
            yield Job(("discovery", circuit, "", seed, pairs), run)
