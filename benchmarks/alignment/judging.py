"""What the alignment says of each corrupted graph and of each network, next to what is right."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryDirectory
from typing import Final

import causalvae
from benchmarks.alignment.worlds import FACTORS, Corruption, corruptions, graph_of, open_world
from benchmarks.circuits.store import Job, Row
from causalvae.alignment.assess import direct_relations
from causalvae.alignment.columns import FactorColumns, Units, read_columns
from causalvae.alignment.decisions import Decider, decide
from causalvae.alignment.interchange import measure_interchange, worst
from causalvae.alignment.support import fit_ellipse
from causalvae.alignment.types import Interchange, PairCheck
from causalvae.effects import open_context
from causalvae.graph import CausalGraph
from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.planted import CODES, WORLDS, code_truth
from causalvae.session import Session
from causalvae.spec.schema import GraphSection, Spec

EXACT, OTHER_NAME, MISSED, ELSEWHERE = "exact", "another name", "missed", "a right pair is called wrong"
WRONG: Final = ("missing", "undeclared", "reversed")
NETWORKS, GRAPHS = "networks", "graphs"
RIGHT: Final = ("identity", "padded")
# Factors whose interchange accuracy is shown to be below this are red in the headline.
_ACCURATE = 0.8


def measured(world: str, code: str, seed: int) -> tuple[Session, Spec, tuple[FactorColumns, ...]]:
    """The columns of a world and a network, through the engine."""
    session = open_world(world, code, seed)
    with TemporaryDirectory() as folder:
        measurements = causalvae.execute(session, causalvae.compile_plan(session), folder)
        spec = session.completed_spec
        outcomes = open_context(spec, measurements, session.whole, session.units).outcomes
        numbers = [name for name, factor in spec.graph.factors.items() if factor.kind == "continuous"]
        ellipse, _ = fit_ellipse(measurements.observations, numbers)
        return session, spec, tuple(read_columns(spec, outcomes, Units(spec, measurements), ellipse))


def checks_of(spec: Spec, columns: tuple[FactorColumns, ...], world: str, graph: Corruption) -> list[PairCheck]:
    """The pairs, where `graph` is declared."""
    section = GraphSection.model_validate(graph_of(world, graph.edges))
    declared = direct_relations(CausalGraph.from_section(section))
    return decide(Decider(spec, declared), columns, declared, lambda _, level: f"{level:g}")


def judge_graphs(world: str, seed: int) -> list[Row]:
    """Every corruption of a world's graph, with the network that codes each column in a latent of its own."""
    _, spec, columns = measured(world, "identity", seed)
    rows = []
    for graph in corruptions(world):
        said = {(c.source, c.target): c.graph for c in checks_of(spec, columns, world, graph) if c.graph in WRONG}
        right = graph.expected(world)
        found = EXACT if said == right else OTHER_NAME
        if said.keys() - right.keys():
            found = ELSEWHERE
        elif right.keys() - said.keys():
            found = MISSED
        rows.append(Row(GRAPHS, world, "", seed, len(columns), graph.kind, found, (graph.label,)))
    return rows


def judge_network(world: str, code: str, seed: int) -> list[Row]:
    """One network with the true graph."""
    _, spec, columns = measured(world, code, seed)
    checks = checks_of(spec, columns, world, next(corruptions(world)))
    found = (measure_interchange(item, spec.estimation.confidence) for item in columns)
    interchanges = tuple(item for item in found if item is not None)
    graph = {(c.source, c.target) for c in checks if c.graph in WRONG}
    network, mapping = _departures(checks, "network"), _departures(checks, "mapping")
    lowest = worst(interchanges)
    names = {
        "graph": bool(graph),
        "network loses": any(name == "lost" for name in network.values()),
        "network invents": any(name == "added" for name in network.values()),
        "mapping wrong": bool(mapping) or _is_red(lowest),
    }
    expected = _expected(code, FACTORS[world])
    # A disagreement is of the first link that departs: what follows is not distinguished from it.
    said = tuple(name for name, is_red in names.items() if is_red)
    if len(said) > 1:
        said = tuple(name for name in said if name != "mapping wrong")
    outcome = EXACT if set(said) == expected else MISSED if expected - set(said) else ELSEWHERE
    return [Row(NETWORKS, world, code, seed, len(columns), ", ".join(sorted(expected)) or "nothing", outcome, said)]


def _departures(checks: list[PairCheck], column: str) -> dict[tuple[str, str], str]:
    links = {(c.source, c.target): c.network if column == "network" else c.mapping for c in checks}
    return {pair: link.status for pair, link in links.items() if link is not None and link.status in ("lost", "added")}


def _is_red(lowest: Interchange | None) -> bool:
    return lowest is not None and lowest.accuracy.upper < _ACCURATE


def _expected(code: str, factors: tuple[str, ...]) -> set[str]:
    """What is wrong with a network, from its matrices; donors differ from the base in all columns."""
    known = code_truth(CompiledModel.model_validate({"source": "compiled", "code": code}), len(factors))
    found = {"network loses"} if known.lost else set()
    found |= {"network invents"} if known.invented else set()
    if not found and code not in RIGHT:
        found = {"mapping wrong"}
    return found


def jobs(seeds: int) -> Iterator[Job]:
    """Graphs of each world, then networks in each world; seed by seed, so that a short run covers all of them."""
    for seed in range(seeds):
        for world in WORLDS:
            yield Job((GRAPHS, world, "", seed, len(FACTORS[world])), partial(judge_graphs, world, seed))
            for code in CODES:
                key = (NETWORKS, world, code, seed, len(FACTORS[world]))
                yield Job(key, partial(judge_network, world, code, seed))
