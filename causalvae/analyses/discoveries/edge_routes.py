"""Circuits of edges as mediations write them, and as these measure them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from causalvae.circuits.types import Circuit
from causalvae.interventions.mediation.route import INPUT, OUTPUT, Route
from causalvae.models.components import EdgeRef

# A mediation nests what each node reads, so it grows with the ways from the input to the output.
_MOST_WAYS: Final = 256


def route_of_edges(circuit: Circuit) -> Route | None:
    """The route of a mediation along the edges of a circuit.

    Returns
    -------
    Route or None
        None where no mediation says the same: of an edge from the input to the output, of a node that reads both the
        input and other nodes, of edges that lead nowhere, and where there are too many ways through the circuit.
    """
    edges = [part for part in circuit if isinstance(part, EdgeRef)]
    named = tuple(
        (
            INPUT if edge.source is None else edge.source.label,
            OUTPUT if edge.target is None else edge.target.label,
        )
        for edge in edges
    )
    names = list(dict.fromkeys(name for edge in named for name in edge if name not in (INPUT, OUTPUT)))
    route = Route({name: (name,) for name in names}, named)
    starts = {parent for parent, _ in named}
    is_said = (
        bool(edges)
        and (INPUT, OUTPUT) not in named
        and all(name in starts for name in names)
        and all(route.parents[name] and (INPUT not in route.parents[name][1:]) for name in names)
        and all(len(route.parents[name]) == 1 for name in names if INPUT in route.parents[name])
    )
    return route if is_said and 0 < _ways(named) <= _MOST_WAYS else None


def _ways(edges: Sequence[tuple[str, str]]) -> int:
    """Ways from the input to the output; edges are in network order of their ends."""
    ways = {INPUT: 1}
    for parent, child in edges:
        ways[child] = ways.get(child, 0) + ways.get(parent, 0)
    return ways.get(OUTPUT, 0)
