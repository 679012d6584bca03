"""The declared graph for other programs: DOT, GraphML and DAGitty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal

Format = Literal["dot", "graphml", "dagitty"]
FORMATS: Final[tuple[Format, ...]] = ("dot", "graphml", "dagitty")
Role = Literal["factor", "attribute"]


@dataclass(frozen=True)
class SharedGraph:
    """A graph as other programs read it.

    Parameters
    ----------
    name : str
    roles : mapping
        Node -> what it is.
    edges : sequence of (str, str)
        (cause, effect).
    mapped : mapping
        Node -> the addresses that it is mapped to.
    exposures, outcomes : iterable of str
        Nodes that hypotheses treat, and nodes that they measure.
    """

    name: str
    roles: Mapping[str, Role]
    edges: Sequence[tuple[str, str]]
    mapped: Mapping[str, tuple[str, ...]]
    exposures: Iterable[str] = ()
    outcomes: Iterable[str] = ()

    def write(self, form: Format) -> str:
        """The graph's text in a format."""
        return {"dot": self._dot, "graphml": self._graphml, "dagitty": self._dagitty}[form]()

    def _dot(self) -> str:
        shapes = {"factor": "ellipse", "attribute": "box"}
        lines = [f"digraph {_quoted(self.name)} {{", "  rankdir=LR;"]
        for node, role in self.roles.items():
            where = f", mapping={_quoted(', '.join(self.mapped[node]))}" if node in self.mapped else ""
            lines.append(f"  {_quoted(node)} [shape={shapes[role]}, role={role}{where}];")
        lines += [f"  {_quoted(cause)} -> {_quoted(effect)};" for cause, effect in self.edges]
        return "\n".join([*lines, "}"]) + "\n"

    def _graphml(self) -> str:
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name)
        for node, role in self.roles.items():
            where = {"mapping": ", ".join(self.mapped[node])} if node in self.mapped else {}
            graph.add_node(node, role=role, **where)
        graph.add_edges_from(self.edges)
        stream = BytesIO()
        nx.write_graphml_xml(graph, stream)
        return stream.getvalue().decode() + "\n"

    def _dagitty(self) -> str:
        exposures, outcomes = set(self.exposures), set(self.outcomes)
        lines = ["dag {"]
        for node in self.roles:
            kind = "exposure" if node in exposures else "outcome" if node in outcomes else ""
            lines.append(f"  {_quoted(node)}" + (f" [{kind}]" if kind else ""))
        lines += [f"  {_quoted(cause)} -> {_quoted(effect)}" for cause, effect in self.edges]
        return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    # Names of nodes are letters, digits, - and _; names of specs and addresses have no quotes either.
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
