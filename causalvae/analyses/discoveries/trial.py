"""The held-out test of a found circuit, by the rules that hypotheses are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray, CircuitEffects
from causalvae.analyses.discoveries.findings import join_units
from causalvae.analyses.discoveries.network_runs import NetworkRuns
from causalvae.analyses.discoveries.section import SoughtCircuit
from causalvae.circuits.table import CircuitTable, MeasuredCircuits
from causalvae.circuits.types import Circuit, Verdict
from causalvae.circuits.verdict import decide, weigh
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.plan.owner import Owner
from causalvae.plan.rivals import draw_rivals
from causalvae.plan.types import ClaimDesign, Patch
from causalvae.spec.hypothesis_section import fewest_random
from causalvae.spec.schema import Hypothesis, Spec
from causalvae.spec.value_source import make_source

# A change of this part of the total effect is rounding.
_ROUNDING: Final = 1e-8
# Pairs on which it is told which candidates do anything.
_ACTIVE_PAIRS: Final = 24


def hypothesis_of(sought: SoughtCircuit, circuit: Circuit) -> Hypothesis:
    """What a found circuit claims, as a spec writes it."""
    return Hypothesis.model_validate(
        {
            "name": sought.name,
            "treatment": sought.treatment,
            "circuit": [part.label for part in join_units(circuit)],
            "outcome": sought.outcome,
            "expect": {"mediated_share": {"at_least": sought.target}},
        }
    )


def judge_circuit(
    runs: NetworkRuns,
    circuit: BoolArray,
    sought: SoughtCircuit,
    spec: Spec,
    own: CircuitEffects,
    bootstrap: PairedBootstrap,
) -> Verdict:
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

    Notes
    -----
    Rivals are other sets of as many candidates at each site, those that the treatment moves where not all can be run.
    """
    refs = tuple(runs.candidates[place] for place in np.flatnonzero(circuit))
    if not refs:
        # Nothing is claimed of no component: the effect flows past all candidates.
        refs = runs.candidates[:1]
    hypothesis = hypothesis_of(sought, refs)
    whole = tuple(
        Patch(part.site, part.units, make_source("interchange"), part.window) for part in join_units(refs)
    )  # fmt: skip
    places = {(ref.site, unit): k for k, ref in enumerate(runs.candidates) for unit in ref.units or ()}
    sizes = [sum(ref.site == patch.site for ref in runs.candidates) for patch in whole]
    units = [sorted(unit for site, unit in places if site == patch.site) for patch in whole]
    active = _active(runs)

    # Rivals are drawn among positions of a site's candidates, which need not be all of its units.
    by_site = {patch.site: some for patch, some in zip(whole, units, strict=True)}
    numbered = tuple(
        Patch(patch.site, tuple(by_site[patch.site].index(unit) for unit in patch.units or ()), patch.source)
        for patch in whole
    )

    def moved(patch: Patch) -> tuple[int, ...]:
        return tuple(position for position, unit in enumerate(by_site[patch.site]) if active[places[patch.site, unit]])

    kind, why_none, rivals = draw_rivals(
        numbered, sizes, hypothesis.null, fewest_random((hypothesis,), hypothesis.alpha), moved,
        spec.execution.seed, Owner.hypothesis(hypothesis.name),
    )  # fmt: skip
    sets = [_indicator(rival, by_site, places, len(circuit)) for rival in rivals]
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
    (verdict,) = decide([weigh(hypothesis, design, columns, table, bootstrap, 1)])
    return verdict


def _active(runs: NetworkRuns) -> BoolArray:
    """Which candidates change the outcome when they alone take their other value, in either run."""
    singly = np.eye(len(runs.candidates), dtype=bool)
    few = np.arange(min(runs.pairs, _ACTIVE_PAIRS))
    added, removed = runs.patched_on(few)(singly), runs.on(few)(~singly)
    least = _ROUNDING * added.total.mean()
    return np.asarray((added.square.mean(axis=1) > least) | (removed.lost.mean(axis=1) > least))


def _indicator(
    rival: Sequence[Patch], by_site: dict[str, list[int]], places: dict[tuple[str, int], int], candidates: int
) -> BoolArray:
    members = np.zeros(candidates, dtype=bool)
    for patch in rival:
        positions = range(len(by_site[patch.site])) if patch.units is None else patch.units
        members[[places[patch.site, by_site[patch.site][position]] for position in positions]] = True
    return members
