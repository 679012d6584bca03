"""The edges between some components of a network: which of them reads directly from which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentMap, ComponentRef, EdgeRef
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.owner import Owner

# More edges take hours to search.
MOST_EDGES: Final = 20_000


@dataclass(frozen=True)
class Reading:
    """What one value of the network is computed from.

    Parameters
    ----------
    site : str or None
        The site that is computed; None means the output.
    nodes : tuple of int
        Positions of the site's nodes; empty of the output.
    sources : tuple of int
        Positions of the nodes that it reads with no other node between.
    from_input : bool
        Whether it reads the input with no node between.
    """

    site: str | None
    nodes: tuple[int, ...]
    sources: tuple[int, ...]
    from_input: bool

    @property
    def edges(self) -> int:
        """Number of edges that lead to it."""
        return max(1, len(self.nodes)) * (len(self.sources) + self.from_input)


@dataclass(frozen=True)
class Wiring:
    """Nodes, and the edges between them, from the input to the output.

    Parameters
    ----------
    nodes : tuple of ComponentRef
        Single units, in network order.
    readings : tuple of Reading
        Of each site with nodes, in network order, then of the output.
    """

    nodes: tuple[ComponentRef, ...]
    readings: tuple[Reading, ...]

    @cached_property
    def edges(self) -> tuple[EdgeRef, ...]:
        """All edges: by reading, then by target; of each target first that from the input, then by source."""
        found = []
        for reading in self.readings:
            first: tuple[None, ...] = (None,) if reading.from_input else ()
            sources = (*first, *(self.nodes[node] for node in reading.sources))
            targets = [self.nodes[node] for node in reading.nodes] if reading.site is not None else [None]
            found += [EdgeRef(source, target) for target in targets for source in sources]
        return tuple(found)


def find_wiring(nodes: Sequence[ComponentRef], components: ComponentMap, graph: Program, ends: Sequence[str]) -> Wiring:
    """The edges between nodes; of a network that is run by hooks, each node is taken to read all earlier ones.

    Parameters
    ----------
    nodes : sequence of ComponentRef
        Single units, in network order.
    components : ComponentMap
    graph : Program
    ends : sequence of str
        Names of the outputs that the outcome is measured on.

    Raises
    ------
    CausalVAEError
        CV543 for more than `MOST_EDGES` edges.
    """
    places: dict[str, list[int]] = {}
    for place, node in enumerate(nodes):
        places.setdefault(node.site, []).append(place)
    own = {site: components.site(site).node for site in places}
    readings = []
    for site, members in places.items():
        sources, from_input = _read(site, [own[site]], places, components, graph)
        readings.append(Reading(site, tuple(members), sources, from_input))
    sources, from_input = _read(None, [graph.outputs[name] for name in ends], places, components, graph)
    readings.append(Reading(None, (), sources, from_input))
    count = sum(reading.edges for reading in readings)
    if count > MOST_EDGES:
        raise CausalVAEError(
            "CV543",
            f"{len(nodes):,} nodes have {count:,} edges, and circuits are searched for among at most {MOST_EDGES:,}.",
            "Name fewer `sites`: edges lead from each site to the next that is named.",
            "discoveries",
        )
    return Wiring(tuple(nodes), tuple(readings))


def _read(
    site: str | None, ends: list[str], places: dict[str, list[int]], components: ComponentMap, graph: Program
) -> tuple[tuple[int, ...], bool]:
    """The nodes that some values are computed from with no other node between, and whether so of the input."""
    if not isinstance(graph, OperatorGraph):
        earlier = [
            place
            for other, members in places.items()
            if other != site and (site is None or components.leads_to(components.site(other), components.site(site)))
            for place in members
        ]
        return tuple(earlier), True
    at = {components.site(other).node: other for other in places}
    whole = {node for node, other in at.items() if len(places[other]) == components.site(other).units}
    found: set[str] = set()
    seen: set[str] = set()
    # A value that is measured may itself be one that has nodes.
    stack = list(ends) if site is None else [name for end in ends for name in graph.by_name[end].inputs]
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in at:
            found.add(at[name])
        if name not in whole:
            stack += graph.by_name[name].inputs
    return tuple(place for other, members in places.items() if other in found for place in members), (
        graph.inputs[0] in seen
    )


def refuse_windows(nodes: Sequence[ComponentRef], owner: Owner) -> None:
    """Raise CV544 where a node is a part of a map's positions."""
    window = next((node for node in nodes if node.window), None)
    if window is not None:
        raise CausalVAEError(
            "CV544",
            f"{window.label} is a window, and edges join whole units.",
            f"Write {window.whole.site}, or a unit of it.",
            owner,
        )
