"""Path-specific effects in a plan: what is patched so that a change is sent along named edges only.

The value that a node sends on is its value in a run in which its parents, and nothing else, have the values that they
send on; those that the input feeds have their value for the other input (Avin, Shpitser & Pearl 2005; in networks known
as path patching). Where a component of the route lies between a node and its parents without being one of them, it is
held at its clean value there: no edge brings the change through it.
"""

from __future__ import annotations

from causalvae.errors import CausalVAEError
from causalvae.interventions.mediation.route import INPUT, OUTPUT, Route
from causalvae.models.components import Component, ComponentMap, Site
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver, in_network_order, joint_patches, label_of
from causalvae.plan.targets import ComponentPath, chain_edges, set_of
from causalvae.plan.types import Patch
from causalvae.spec.value_source import ValueSource, make_source

_FROM_INPUT = make_source("interchange")
_CLEAN = make_source("relayed")


def route_patches(route: Route, resolver: Resolver, owner: Owner) -> tuple[Patch, ...]:
    """The patches of a run in which a change arrives along the edges of `route` alone.

    Parameters
    ----------
    route : Route
    resolver : Resolver
    owner : Owner
        Of the mediation, for messages.

    Raises
    ------
    CausalVAEError
        CV317 where an edge leads to what is not computed from its start, CV318 where two nodes share a value; CV300 to
        CV305 for the components.
    """
    return _Router(route, resolver, owner).patches


def target_of_route(route: Route, resolver: Resolver, owner: Owner) -> ComponentPath:
    """The components of a route, and the edges between them; the stages of a chain in its order."""
    chain = _chain(route)
    is_chain = len(chain) == len(route.nodes)
    names = chain if is_chain else list(route.nodes)
    stages = tuple(set_of(resolver.find(route.nodes[name], owner)) for name in names)
    places: dict[str, int | None] = {name: place for place, name in enumerate(names)}
    places |= {INPUT: None, OUTPUT: None}
    edges = tuple((places[start], places[end]) for start, end in route.edges)
    return ComponentPath(stages, chain_edges(len(names)) if is_chain else edges)


def _chain(route: Route) -> list[str]:
    """The nodes from the input on as long as each hands on to one alone."""
    following: dict[str, list[str]] = {}
    for parent, child in route.edges:
        following.setdefault(parent, []).append(child)
    chain: list[str] = []
    node = INPUT
    while len(following.get(node, ())) == 1:
        (node,) = following[node]
        if node != OUTPUT:
            chain.append(node)
    return chain


class _Router:
    def __init__(self, route: Route, resolver: Resolver, owner: Owner) -> None:
        self._route = route
        self._components = resolver.components
        self._owner = owner
        self._found = {name: resolver.find(references, owner) for name, references in route.nodes.items()}
        self._sources: dict[str, ValueSource] = {}
        for parent, child in route.edges:
            if parent != INPUT:
                self._check(parent, child)

    @property
    def patches(self) -> tuple[Patch, ...]:
        """Those of the run whose outcome is measured."""
        return self._entering(OUTPUT)

    def _source(self, node: str) -> ValueSource:
        """Where the value that a node sends on comes from."""
        if node not in self._sources:
            fed = INPUT in self._route.parents[node]
            self._sources[node] = _FROM_INPUT if fed else make_source("relayed", upstream=self._entering(node))
        return self._sources[node]

    def _entering(self, node: str) -> tuple[Patch, ...]:
        """What is patched where the value of `node` is read."""
        parents = self._route.parents[node]
        by_source: dict[ValueSource, list[str]] = {}
        for parent in parents:
            by_source.setdefault(self._source(parent), []).append(parent)
        held = [name for name in self._found if name not in (node, *parents) and self._between(name, parents, node)]
        if held:
            by_source.setdefault(_CLEAN, []).extend(held)
        patches: list[Patch] = []
        for source, names in by_source.items():
            found = tuple(component for name in names for component in self._found[name])
            patches += joint_patches(found, source, self._owner)
        self._refuse_overlap(patches)
        return in_network_order(tuple(patches), self._components)

    def _between(self, name: str, parents: tuple[str, ...], node: str) -> bool:
        """Whether a node of the route is computed from a parent of `node`, and `node` from it."""
        ends = None if node == OUTPUT else self._found[node]
        return any(
            any(self._leads(parent, component.site) for parent in parents)
            and (ends is None or any(self._components.leads_to(component.site, end.site) for end in ends))
            for component in self._found[name]
        )

    def _leads(self, node: str, site: Site) -> bool:
        return any(self._components.leads_to(component.site, site) for component in self._found[node])

    def _check(self, parent: str, child: str) -> None:
        """Every component of an edge's start must lead to one of its end, and the other way round."""
        starts = self._found[parent]
        if child == OUTPUT:
            lost = next((one for one in starts if _is_dead_end(one, self._components)), None)
            if lost is not None:
                raise CausalVAEError(
                    "CV317",
                    f"nothing that is decoded is computed from {lost.label} here, so a change ends there.",
                    "End the path at a component that the output depends on, such as latent.",
                    self._owner,
                )
            return
        ends = self._found[child]
        for end in ends:
            if not any(self._components.leads_to(start.site, end.site) for start in starts):
                raise self._not_downstream(starts, end.label)
        for start in starts:
            if not any(self._components.leads_to(start.site, end.site) for end in ends):
                raise self._not_downstream((start,), label_of(ends))

    def _not_downstream(self, starts: tuple[Component, ...], end: str) -> CausalVAEError:
        return CausalVAEError(
            "CV317",
            f"{end} is not computed from {label_of(starts)}, so no change is sent from there to it.",
            "Name stages in the order in which the network computes them, each downstream of the one before; "
            "`causalvae components SPEC` lists them in that order.",
            self._owner,
        )

    def _refuse_overlap(self, patches: list[Patch]) -> None:
        for place, first in enumerate(patches):
            for second in patches[:place]:
                same = self._components.site(first.site).node == self._components.site(second.site).node
                if same and first.meets(second):
                    raise CausalVAEError(
                        "CV318",
                        f"two components of the route share a part of {first.site}, and it cannot have two values.",
                        "Name each part of it once.",
                        self._owner,
                    )


def _is_dead_end(component: Component, components: ComponentMap) -> bool:
    """Whether the output is computed without a component; unknown where the map lists no operations."""
    site = component.site
    return bool(components.operations) and site.stage != "decoder" and not site.downstream
