"""Declared worlds as specs, every corruption of their graphs, and what the report must say of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import networkx as nx

import causalvae
from causalvae.alignment.types import GraphStatus
from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.planted import WORLDS, code_truth
from causalvae.session import Session
from causalvae.spec.schema import Spec

Edge = tuple[str, str]

FACTORS: Final[dict[str, tuple[str, ...]]] = {
    world: ("a", "b", "c", "s") if world == "one_level" else ("a", "b", "c", "d") for world in WORLDS
}
BETWEEN: Final[dict[str, frozenset[Edge]]] = {
    "chain": frozenset({("a", "b"), ("b", "c")}),
    "fork": frozenset({("a", "b"), ("a", "c")}),
    "collider": frozenset({("a", "c"), ("b", "c")}),
    "diamond": frozenset({("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}),
    "hidden_cause": frozenset({("b", "c")}),
    "one_level": frozenset({("a", "b"), ("s", "b")}),
}
_SESSIONS: dict[tuple[str, str], Session] = {}


def attribute(factor: str) -> str:
    """The attribute that shows a factor."""
    return f"y{factor}"


def true_edges(world: str) -> frozenset[Edge]:
    """All edges of a world: between factors, and from each to its attribute."""
    return BETWEEN[world] | {(factor, attribute(factor)) for factor in FACTORS[world]}


@dataclass(frozen=True)
class Corruption:
    """One change of a true graph.

    Parameters
    ----------
    kind : {"true", "dropped", "added", "reversed", "rerouted"}
    edges : frozenset of (str, str)
        The graph that is declared.
    label : str
        What was changed.
    """

    kind: str
    edges: frozenset[Edge]
    label: str = ""

    def expected(self, world: str) -> dict[Edge, GraphStatus]:
        """The pairs that the report must call wrong, with the name of the fault."""
        true = true_edges(world)
        found: dict[Edge, GraphStatus] = {}
        for edge in self.edges - true:
            found[edge] = "reversed" if edge[::-1] in true else "missing"
        for edge in true - self.edges:
            found[edge] = "reversed" if edge[::-1] in self.edges else "undeclared"
        return found


def corruptions(world: str) -> Iterator[Corruption]:
    """Every graph that differs from the true one by one edge: dropped, added, reversed, or led to another node."""
    true, factors = true_edges(world), FACTORS[world]
    yield Corruption("true", true)
    nodes = (*factors, *map(attribute, factors))
    absent = [
        (source, target)
        for source in factors
        for target in nodes
        if source != target and (source, target) not in true and (target, source) not in true
    ]
    for edge in sorted(true):
        yield Corruption("dropped", true - {edge}, _arrow(edge))
    for edge in absent:
        if _is_acyclic(true | {edge}):
            yield Corruption("added", true | {edge}, _arrow(edge))
    for source, target in sorted(BETWEEN[world]):
        turned = true - {(source, target)} | {(target, source)}
        if _is_acyclic(turned):
            yield Corruption("reversed", turned, _arrow((source, target)))
    for edge in sorted(true):
        for other in absent:
            led = true - {edge} | {other}
            if other[0] == edge[0] and _is_acyclic(led):
                yield Corruption("rerouted", led, f"{_arrow(edge)} to {other[1]}")
                break


def _arrow(edge: Edge) -> str:
    return f"{edge[0]} -> {edge[1]}"


def _is_acyclic(edges: frozenset[Edge]) -> bool:
    return bool(nx.is_directed_acyclic_graph(nx.DiGraph(list(edges))))


def spec_of(world: str, code: str, seed: int) -> Spec:
    """A world with its true graph and a network that codes its columns, drawn with `seed`.

    The data and the cross-checks of a spec are as users have them; fewer bootstrap resamples suffice, since no
    decision rests on the interval.
    """
    model = {"source": "compiled", "code": code}
    factors = FACTORS[world]
    mapping = code_truth(CompiledModel.model_validate(model), len(factors)).mapping
    return Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": f"{world}-{code}".replace("_", "-"),
            "model": model,
            "data": {"source": "scm", "world": "table", "variables": WORLDS[world], "samples": 512, "seed": seed},
            "graph": graph_of(world, true_edges(world)),
            "mapping": {
                factor: {"components": [f"latent[{latent}]" for latent in mapping[column]]}
                for column, factor in enumerate(factors)
            },
            "estimation": {"bootstrap": 40, "dowhy": False},
            "execution": {"seed": seed, "controls": False},
        }
    )


def graph_of(world: str, edges: frozenset[Edge]) -> dict[str, Any]:
    """The graph section that declares some edges."""
    return {
        "factors": list(FACTORS[world]),
        "attributes": {attribute(factor): {"readout": "column", "column": factor} for factor in FACTORS[world]},
        "edges": [_arrow(edge) for edge in sorted(edges)],
    }


def open_world(world: str, code: str, seed: int) -> Session:
    """A session of a world's spec; networks and data are opened once."""
    spec, key = spec_of(world, code, seed), (world, code)
    if key not in _SESSIONS:
        _SESSIONS[key] = causalvae.open_session(spec, Path())
    return replace(_SESSIONS[key], declared=spec, spec=spec)
