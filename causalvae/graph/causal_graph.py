"""A declared causal graph: parents, ancestors, descendants, and the independencies that it implies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from causalvae.errors import CausalVAEError
from causalvae.spec.digraph import find_cycles, reachable

if TYPE_CHECKING:
    import networkx as nx

    from causalvae.spec.schema import GraphSection

Edge = tuple[str, str]


@dataclass(frozen=True)
class Independence:
    """``left`` is independent of ``right`` given ``given``.

    Parameters
    ----------
    left, right : str
        Two nodes, in the order of the graph's nodes.
    given : tuple of str
        The conditioning set, in the order of the graph's nodes.
    """

    left: str
    right: str
    given: tuple[str, ...] = ()

    def __str__(self) -> str:
        condition = f" | {', '.join(self.given)}" if self.given else ""
        return f"{self.left} _||_ {self.right}{condition}"


@dataclass(frozen=True)
class CausalGraph:
    """A directed acyclic graph of factors and attributes.

    Parameters
    ----------
    factors : tuple of str
        Causes of the image.
    attributes : tuple of str
        Measured on the decoded output.
    edges : tuple of (parent, child)
        Duplicate edges are dropped.

    Raises
    ------
    CausalVAEError
        CV032 if the edges have a cycle, CV030 if one names an unknown node, CV031 if a node is declared twice.

    Examples
    --------
    >>> graph = CausalGraph(("scale", "shape"), ("area",), (("scale", "area"), ("shape", "area")))
    >>> graph.parents("area")
    ('scale', 'shape')
    >>> [str(independence) for independence in graph.implied_independencies()]
    ['scale _||_ shape']
    """

    factors: tuple[str, ...]
    attributes: tuple[str, ...]
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        object.__setattr__(self, "attributes", tuple(self.attributes))
        object.__setattr__(self, "edges", tuple(dict.fromkeys((parent, child) for parent, child in self.edges)))
        known = set(self.nodes)
        if len(known) < len(self.nodes):
            twice = next(node for node in self.nodes if self.nodes.count(node) > 1)
            raise CausalVAEError("CV031", f"'{twice}' is declared twice.", "Give each node its own name.", "graph")
        for parent, child in self.edges:
            for node in (parent, child):
                if node not in known:
                    raise CausalVAEError(
                        "CV030",
                        f"The edge '{parent} -> {child}' names '{node}', which is not a node.",
                        f"Declare it, or name one of {', '.join(self.nodes)}.",
                        "graph.edges",
                    )
        cycles = find_cycles(self.edges)
        if cycles:
            raise CausalVAEError(
                "CV032",
                f"The graph has a cycle: {' -> '.join(cycles[0])}.",
                "Delete or reverse one of these edges; a causal graph has no cycles.",
                "graph.edges",
            )

    @classmethod
    def from_section(cls, section: GraphSection) -> CausalGraph:
        """The graph of a spec."""
        return cls(tuple(section.factors), tuple(section.attributes), section.edge_pairs)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Factors, then attributes."""
        return (*self.factors, *self.attributes)

    @cached_property
    def networkx(self) -> nx.DiGraph[str]:
        """The graph as a networkx graph; the node attribute ``role`` is ``factor`` or ``attribute``."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.factors, role="factor")
        graph.add_nodes_from(self.attributes, role="attribute")
        graph.add_edges_from(self.edges)
        return graph

    def __getstate__(self) -> dict[str, Any]:
        return {"factors": self.factors, "attributes": self.attributes, "edges": self.edges}

    def parents(self, node: str) -> tuple[str, ...]:
        """The direct causes of `node`, in node order; raises `KeyError` for an unknown node."""
        return self._ordered(parent for parent, child in self.edges if child == self._known(node))

    def ancestors(self, node: str) -> tuple[str, ...]:
        """The ancestors of `node`, without itself, in node order; raises `KeyError` for an unknown node."""
        return self._ordered(reachable(self._known(node), ((child, parent) for parent, child in self.edges)))

    def descendants(self, node: str) -> tuple[str, ...]:
        """The descendants of `node`, without itself, in node order; raises `KeyError` for an unknown node."""
        return self._ordered(reachable(self._known(node), self.edges))

    def implied_independencies(self) -> tuple[Independence, ...]:
        """A basis of the implied conditional independencies: one for each pair of non-adjacent nodes.

        Given its parents, each node is independent of its other predecessors in a topological order (the ordered local
        Markov property, Verma & Pearl 1988); for pairs this is the basis set of Shipley 2000. All other implied
        independencies follow, and p-values of tests of the basis set are independent, as required for Fisher's C.

        Returns
        -------
        tuple of Independence
            `given` contains the parents of both nodes of a pair, in node order.
        """
        adjacent = {frozenset(edge) for edge in self.edges}
        found = []
        for position, left in enumerate(self.nodes):
            for right in self.nodes[position + 1 :]:
                if frozenset((left, right)) in adjacent:
                    continue
                given = self._ordered({*self.parents(left), *self.parents(right)} - {left, right})
                found.append(Independence(left, right, given))
        return tuple(found)

    def _known(self, node: str) -> str:
        if node not in self.nodes:
            raise KeyError(node)
        return node

    def _ordered(self, nodes: Iterable[str]) -> tuple[str, ...]:
        chosen = set(nodes)
        return tuple(node for node in self.nodes if node in chosen)
