"""The runs that motifs are read from: members alone, in pairs, taken away, and the change that one sends to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray, IntArray, one
from causalvae.analyses.discoveries.motifs import OUTCOME, MemberEffects, couples_of
from causalvae.analyses.discoveries.network_runs import INTERCHANGE, NetworkRuns
from causalvae.models.components import ComponentMap, ComponentRef
from causalvae.plan.types import Arm
from causalvae.spec.value_source import make_source

_CLEAN = make_source("relayed")


def measure_members(runs: NetworkRuns, circuit: BoolArray, chosen: IntArray) -> MemberEffects:
    """What motifs among some members of a circuit are read from.

    Parameters
    ----------
    runs : NetworkRuns
    circuit : bool array, shape (candidates,)
    chosen : int array
        Positions of the members, among the candidates.
    """
    couples = couples_of(len(chosen))
    sets = np.zeros((len(chosen) + len(couples), len(circuit)), dtype=bool)
    for row, members in enumerate([*((member,) for member in range(len(chosen))), *couples]):
        sets[row, chosen[list(members)]] = True
    patched = runs.patched(sets)
    without = np.repeat(circuit[None], len(chosen), axis=0)
    without[np.arange(len(chosen)), chosen] = False
    arrows, arms = _arrows(runs, [runs.candidates[place] for place in chosen])
    return MemberEffects(
        singles=patched.of(list(range(len(chosen)))),
        couples=couples,
        together=patched.of(list(range(len(chosen), len(sets)))),
        whole=runs(one(circuit)),
        without=runs(without),
        arrows=arrows,
        sent=runs.effects(arms),
    )


def _arrows(runs: NetworkRuns, members: Sequence[ComponentRef]) -> tuple[tuple[tuple[int, int], ...], list[Arm]]:
    """Each pair of a member and one computed from it, each member and the outcome, and the run that measures it."""
    components = runs.runner.model.components
    arrows: list[tuple[int, int]] = []
    arms: list[Arm] = []
    for source, start in enumerate(members):
        after = [end for end in members if _leads(components, start, end)]
        arrows.append((source, OUTCOME))
        arms.append(runs.mixed_arm([(start, INTERCHANGE), *((end, _CLEAN) for end in after)]))
        for target, end in enumerate(members):
            if end not in after:
                continue
            between = [other for other in after if _leads(components, other, end)]
            upstream = runs.mixed_arm([(start, INTERCHANGE), *((other, _CLEAN) for other in between)]).patches
            arrows.append((source, target))
            arms.append(runs.mixed_arm([(end, make_source("relayed", upstream=upstream))]))
    return tuple(arrows), arms


def _leads(components: ComponentMap, start: ComponentRef, end: ComponentRef) -> bool:
    return start.site != end.site and components.leads_to(components.site(start.site), components.site(end.site))
