"""Which circuits of edges a mediation can state.

A mediation along edges sends the treatment's change through the base run. It holds nothing but the nodes that it names,
and a node that reads the input takes its whole value from the other input. So it measures what the search did where no
other candidate node lies between the ends of an edge.
"""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.analyses.discoveries.edges import Wiring
from causalvae.circuits.types import Circuit
from causalvae.models.components import ComponentMap, ComponentRef, EdgeRef


def is_mediation(circuit: Circuit, wiring: Wiring, components: ComponentMap) -> bool:
    """Whether a mediation along these edges measures the circuit.

    Parameters
    ----------
    circuit : tuple of EdgeRef
    wiring : Wiring
        Of all candidates.
    components : ComponentMap
    """
    edges = [part for part in circuit if isinstance(part, EdgeRef)]
    reading = {reading.site for reading in wiring.readings if reading.sources}
    sites = list(dict.fromkeys(node.site for node in wiring.nodes))
    sends = {edge.source for edge in edges}
    takes = {edge.target for edge in edges}
    return (
        bool(edges)
        and sends - {None} == takes - {None}
        and all(
            (edge.target is not None and edge.target.site not in reading)
            if edge.source is None
            else not _is_passed(edge.source, edge.target, sites, components)
            for edge in edges
        )
    )


def _is_passed(
    source: ComponentRef, target: ComponentRef | None, sites: Sequence[str], components: ComponentMap
) -> bool:
    """Whether the nodes of another site lie between two nodes, or between a node and the output."""
    start = components.site(source.site)
    between = [components.site(site) for site in sites if site not in (source.site, target and target.site)]
    after = [site for site in between if components.leads_to(start, site)]
    return (
        bool(after)
        if target is None
        else any(components.leads_to(site, components.site(target.site)) for site in after)
    )
