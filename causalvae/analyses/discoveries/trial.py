"""The held-out test of a found circuit, by the rules that hypotheses are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray, CircuitEffects
from causalvae.analyses.discoveries.edge_rivals import draw_edge_rivals
from causalvae.analyses.discoveries.edge_runs import EdgeRuns
from causalvae.analyses.discoveries.findings import Discovered, Discovery, join_units
from causalvae.analyses.discoveries.network_runs import NetworkRuns
from causalvae.analyses.discoveries.section import SoughtCircuit
from causalvae.circuits.table import CircuitTable, MeasuredCircuits
from causalvae.circuits.types import Circuit
from causalvae.circuits.verdict import Evidence, decide, weigh
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.models.components import ComponentRef
from causalvae.plan.claims.rivals import draw_rivals
from causalvae.plan.owner import Owner
from causalvae.plan.types import ClaimDesign, NoRivals, Patch, RivalKind
from causalvae.spec.hypothesis_section import fewest_random
from causalvae.spec.schema import Hypothesis, Spec
from causalvae.spec.value_source import make_source

# A change of this part of the total effect is rounding.
_ROUNDING: Final = 1e-8
# Pairs on which it is told which candidates do anything.
_ACTIVE_PAIRS: Final = 24
_OTHER: Final = make_source("interchange")


@dataclass(frozen=True)
class Searched:
    """One search and its test, before the circuits of a spec are judged together.

    Parameters
    ----------
    discovery : Discovery
        Without a verdict.
    evidence : Evidence or None
        None of an empty circuit.
    """

    discovery: Discovery
    evidence: Evidence | None


def judge_together(searched: Sequence[Searched]) -> Discovered:
    """The discoveries with their verdicts, whose p-values are Holm-adjusted over all circuits that are judged."""
    weighed = [one.evidence for one in searched if one.evidence is not None]
    verdicts = iter(decide(weighed) if weighed else ())
    return Discovered(
        tuple(
            replace(one.discovery, verdict=None if one.evidence is None else next(verdicts)) for one in searched
        )
    )  # fmt: skip


def hypothesis_of(sought: SoughtCircuit, circuit: Circuit) -> Hypothesis:
    """What a found circuit claims, as a spec writes it.

    A spec cannot name edges, so of those the hypothesis has bounds only: verdicts take circuits from the design.
    """
    return Hypothesis.model_validate(
        {
            "name": sought.name,
            "treatment": sought.treatment,
            "circuit": [part.label for part in join_units(circuit) if isinstance(part, ComponentRef)] or ["latent"],
            "outcome": sought.outcome,
            "expect": {"mediated_share": {"at_least": sought.target}},
        }
    )


def weigh_circuit(
    runs: NetworkRuns,
    circuit: BoolArray,
    sought: SoughtCircuit,
    spec: Spec,
    own: CircuitEffects,
    bootstrap: PairedBootstrap,
    family: Sequence[SoughtCircuit],
) -> Evidence | None:
    """Test a circuit on the pairs of `runs`, run as the search ran it, against its rivals.

    Parameters
    ----------
    runs : NetworkRuns
        On pairs that the circuit was not found on.
    circuit : bool array, shape (candidates,)
    sought : SoughtCircuit
    spec : Spec
    own : CircuitEffects
        Of the circuit.
    bootstrap : PairedBootstrap
        Over the pairs.
    family : sequence of SoughtCircuit
        Circuits that are judged together: random rivals and resamples suffice for their Holm correction.

    Returns
    -------
    Evidence or None
        None of an empty circuit, of which nothing is claimed.

    Raises
    ------
    CausalVAEError
        CV311 where the family needs more random rivals than are run.

    Notes
    -----
    Rivals are other sets of as many candidates at each site, those that the treatment moves where not all can be run.
    Those of edges have the same wiring (`causalvae.analyses.discoveries.edge_rivals`).
    """
    refs = tuple(runs.candidates[place] for place in np.flatnonzero(circuit))
    if not refs:
        return None
    hypothesis = hypothesis_of(sought, refs)
    fewest = fewest_random(family, hypothesis.alpha)
    kind, why_none, sets = _rivals(runs, circuit, hypothesis, fewest, spec.execution.seed)
    parts = []
    if len(refs) > 1:
        for member in np.flatnonzero(circuit):
            part = circuit.copy()
            part[member] = False
            parts.append(part)
    rows = [circuit, *sets, *parts]
    compared = np.arange(min(runs.pairs, hypothesis.null.pairs))
    effects, without = runs.on(compared)(np.stack(rows)), runs(~circuit[None])
    circuits = tuple(tuple(runs.candidates[k] for k in np.flatnonzero(row)) for row in rows)
    table = CircuitTable(
        circuits=circuits,
        total=effects.total,
        measures={"sufficiency": MeasuredCircuits(effects.lost, effects.along)},
        rivals=tuple(range(1, 1 + len(sets))),
        parts=tuple(range(1 + len(sets), len(rows))),
        pairs=len(compared),
    )
    columns = {
        "mediated_share": RatioColumns("mediated_share", own.along[0], own.total, "share"),
        "pairwise_fit": RatioColumns("pairwise_fit", own.total - own.lost[0], own.total, "share"),
        "removal_fit": RatioColumns("removal_fit", own.total - without.square[0], own.total, "share"),
    }
    design = ClaimDesign(refs, refs if len(refs) > 1 else (), False, kind, why_none, spec.execution.seed)
    return weigh(hypothesis, design, columns, table, bootstrap, len(family))


def _rivals(
    runs: NetworkRuns, circuit: BoolArray, hypothesis: Hypothesis, fewest: int, seed: int
) -> tuple[RivalKind, NoRivals, list[BoolArray]]:
    """What the circuit is compared with."""
    active, owner = _active(runs), Owner.hypothesis(hypothesis.name)
    if isinstance(runs, EdgeRuns):
        wanted = max(hypothesis.null.samples, fewest)
        return draw_edge_rivals(runs.wiring, circuit, active, wanted, seed, owner)
    # Rivals are drawn among positions of a site's candidates: those need not be all of its units, and windows may give
    # several candidates one unit.
    places: dict[str, list[int]] = {}
    for place, ref in enumerate(runs.candidates):
        places.setdefault(ref.site, []).append(place)
    numbered = tuple(
        Patch(site, tuple(position for position, place in enumerate(places[site]) if circuit[place]), _OTHER)
        for site in dict.fromkeys(runs.candidates[place].site for place in np.flatnonzero(circuit))
    )
    sizes = [len(places[patch.site]) for patch in numbered]

    def moved(patch: Patch) -> tuple[int, ...]:
        return tuple(position for position, place in enumerate(places[patch.site]) if active[place])

    kind, why_none, rivals = draw_rivals(numbered, sizes, hypothesis.null, fewest, moved, seed, owner)
    return kind, why_none, [_indicator(rival, places, len(circuit)) for rival in rivals]


def _active(runs: NetworkRuns) -> BoolArray:
    """Which candidates change the outcome when they alone take their other value, in either run."""
    singly = np.eye(len(runs.candidates), dtype=bool)
    few = np.arange(min(runs.pairs, _ACTIVE_PAIRS))
    added, removed = runs.patched_on(few)(singly), runs.on(few)(~singly)
    least = _ROUNDING * added.total.mean()
    return np.asarray((added.square.mean(axis=1) > least) | (removed.lost.mean(axis=1) > least))


def _indicator(rival: Sequence[Patch], places: dict[str, list[int]], candidates: int) -> BoolArray:
    members = np.zeros(candidates, dtype=bool)
    for patch in rival:
        members[[places[patch.site][position] for position in patch.units or ()]] = True
    return members
