"""The runs that motifs are read from: members alone, in pairs, taken away, and the change that one sends to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray, IntArray, one
from causalvae.analyses.discoveries.edge_runs import EdgeRuns
from causalvae.analyses.discoveries.motifs import OUTCOME, MemberEffects, couples_of, follow
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
    sets = _alone(circuit, chosen, couples)
    patched = runs.patched(sets)
    arrows, arms = _arrows(runs, [runs.parts[place] for place in chosen])
    return MemberEffects(
        singles=patched.of(list(range(len(chosen)))),
        couples=couples,
        together=patched.of(list(range(len(chosen), len(sets)))),
        whole=runs(one(circuit)),
        without=runs(_without_each(circuit, chosen)),
        arrows=arrows,
        sent=runs.effects(arms),
    )


def measure_edges(
    runs: EdgeRuns, circuit: BoolArray, chosen: IntArray, paired: IntArray
) -> tuple[MemberEffects, tuple[ComponentRef, ...]]:
    """What motifs among the edges of a circuit are read from, and the nodes that these join.

    Parameters
    ----------
    runs : EdgeRuns
    circuit : bool array, shape (edges,)
    chosen : int array
        Positions of the edges of the circuit, and of those in others as small.
    paired : int array
        Positions among `chosen` of those whose pairs are run.

    Notes
    -----
    Arrows join nodes, which are numbered after the edges; what an edge sends is its effect alone. Edges from the input
    are no arrows: all begin there.
    """
    edges = [runs.wiring.edges[place] for place in chosen]
    joined = {end for edge in edges for end in (edge.source, edge.target)}
    nodes = tuple(node for node in runs.wiring.nodes if node in joined)
    numbers: dict[ComponentRef | None, int] = {node: len(edges) + place for place, node in enumerate(nodes)}
    numbers[None] = OUTCOME
    sending = [place for place, edge in enumerate(edges) if edge.source is not None]
    couples = tuple((int(paired[i]), int(paired[j])) for i, j in couples_of(len(paired)))
    sets = _alone(circuit, chosen, couples)
    patched = runs.patched(sets)
    meeting = {
        (i, j) for i, first in enumerate(edges) for j, second in enumerate(edges)
        if first.target is not None and first.target == second.source
    }  # fmt: skip
    return MemberEffects(
        singles=patched.of(list(range(len(edges)))),
        couples=couples,
        together=patched.of(list(range(len(edges), len(sets)))),
        whole=runs(one(circuit)),
        without=runs(_without_each(circuit, chosen)),
        arrows=tuple((numbers[edges[place].source], numbers[edges[place].target]) for place in sending),
        sent=patched.of(sending),
        reached=follow(meeting),
    ), nodes


def _alone(circuit: BoolArray, chosen: IntArray, couples: Sequence[tuple[int, int]]) -> BoolArray:
    """Each member as a circuit, then each couple of members: bool array, shape (members + couples, candidates)."""
    sets = np.zeros((len(chosen) + len(couples), len(circuit)), dtype=bool)
    for row, members in enumerate([*((member,) for member in range(len(chosen))), *couples]):
        sets[row, chosen[list(members)]] = True
    return sets


def _without_each(circuit: BoolArray, chosen: IntArray) -> BoolArray:
    """The circuit without each of its members: bool array, shape (members, candidates)."""
    without = np.repeat(circuit[None], len(chosen), axis=0)
    without[np.arange(len(chosen)), chosen] = False
    return without


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
