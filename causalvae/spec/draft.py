"""A partially read spec, so that checks can run although some values are faulty."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

from causalvae.spec.analysis import ANALYSES, ANALYSIS_KEYS, Analysis
from causalvae.spec.data_section import DATA_TAG
from causalvae.spec.diagnostics import Path
from causalvae.spec.digraph import reachable
from causalvae.spec.entries import DataEntry
from causalvae.spec.intervention_section import LEVELS
from causalvae.spec.model_section import MODEL_TAG
from causalvae.spec.readout_section import READOUT_TAG
from causalvae.spec.schema import (
    EDGE_PATTERN,
    DataSection,
    EstimationSection,
    ExecutionSection,
    FactorSection,
    Hypothesis,
    Intervention,
    MappingSection,
    ModelSection,
    ReadoutSection,
    Section,
    Spec,
    VectorSection,
    long_vectors,
)

_EDGE = re.compile(EDGE_PATTERN)
# Placeholders for required values that are missing or faulty, so that the rest of a section is read; findings on the
# placeholder are omitted, since its path is already reported.
_STAND_INS: dict[str, Any] = {
    "name": "_",
    "factor": "_",
    "from": "_",
    "treatment": "_",
    "outcome": "_",
    "outcomes": ["_"],
    "components": ["latent"],
    "mediators": ["latent"],
    "circuit": ["latent"],
    "expect": {"total_effect": {"at_least": 0.0}},
}
_S = TypeVar("_S", bound=Section)


@dataclass(frozen=True)
class Edge:
    """An edge and its position in the list of edges."""

    index: int
    parent: str
    child: str


@dataclass(frozen=True)
class Named:
    """An intervention or hypothesis; `section` is None if it could not be read.

    An intervention with more than one level, which is an error, appears once for each level, with the same index.
    """

    index: int
    name: str | None
    section: Intervention | Hypothesis | None


@dataclass(frozen=True)
class Draft:
    """The parts of a spec that could be read.

    Parameters
    ----------
    model : ModelSection or None
    data : DataSection or None
    factors, attributes : dict or None
        By name. A value is None if its section could not be read; the mapping is None if the names are unknown.
    factor_positions : dict of str to int
        Position in the list, if factors are given as a list.
    repeated_factors : tuple of int
        Positions in the list that repeat an earlier name.
    edges : tuple of Edge
        Those that could be read.
    edges_known : bool
        Whether all edges could be read.
    mapping : dict or None
        As `factors`.
    interventions, hypotheses : tuple of Named, or None
        None if the list could not be read.
    vectors : dict or None
        As `factors`.
    listed_vectors : frozenset of str
        Vectors given as a list of components.
    rivals : dict
        Name of a rival graph -> those of its edges that could be read.
    estimation : EstimationSection or None
    execution : ExecutionSection or None
    analyses : dict
        By name; the value is None where its section could not be read.
    """

    model: ModelSection | None
    data: DataSection | None
    factors: Mapping[str, FactorSection | None] | None
    attributes: Mapping[str, ReadoutSection | None] | None
    factor_positions: Mapping[str, int]
    repeated_factors: tuple[int, ...]
    edges: tuple[Edge, ...]
    edges_known: bool
    mapping: Mapping[str, MappingSection | None] | None
    interventions: tuple[Named, ...] | None
    hypotheses: tuple[Named, ...] | None
    vectors: Mapping[str, VectorSection | None] | None
    listed_vectors: frozenset[str]
    rivals: Mapping[str, tuple[Edge, ...]] = field(default_factory=dict)
    estimation: EstimationSection | None = None
    execution: ExecutionSection | None = None
    analyses: Mapping[str, Analysis | None] = field(default_factory=dict)

    @property
    def decodes_no_image(self) -> bool:
        """Whether all attributes are known to be latents, so that runs do not decode; False if unknown."""
        entries = tuple((self.attributes or {}).values())
        return bool(entries) and all(entry is not None and entry.latent_index is not None for entry in entries)

    @property
    def source(self) -> DataEntry | None:
        """The known properties of the data source."""
        return None if self.data is None else self.data.facts()

    @property
    def inputs(self) -> DataEntry | None:
        """The known properties of the source's inputs, with or without its factors."""
        return None if self.data is None else self.data.input_facts()

    @property
    def latent_dim(self) -> int | None:
        """Number of latents; None if unknown before the model is loaded."""
        return None if self.model is None else self.model.declared_latents

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The edges as (parent, child) names."""
        return tuple((edge.parent, edge.child) for edge in self.edges)

    @cached_property
    def edges_sound(self) -> bool:
        """Whether all edges could be read and connect declared nodes."""
        if not self.edges_known or self.factors is None or self.attributes is None:
            return False
        return all(node in self.factors or node in self.attributes for pair in self.pairs for node in pair)

    @cached_property
    def _reach(self) -> dict[str, frozenset[str]]:
        return {}

    def reach(self, factor: str) -> frozenset[str]:
        """The descendants of `factor` in the declared graph."""
        if factor not in self._reach:
            self._reach[factor] = reachable(factor, self.pairs)
        return self._reach[factor]


def draft_spec(spec: Spec, plain: Mapping[str, Any] | None = None) -> Draft:
    """The draft of a valid spec; `plain` contains the values it was read from, if any."""
    graph = plain.get("graph") if plain is not None else None
    positions, repeated = _number(graph.get("factors") if isinstance(graph, dict) else None)
    return Draft(
        model=spec.model,
        data=spec.data,
        factors=spec.graph.factors,
        attributes=spec.graph.attributes,
        factor_positions=positions,
        repeated_factors=repeated,
        edges=tuple(Edge(index, *pair) for index, pair in enumerate(spec.graph.edge_pairs)),
        edges_known=True,
        mapping=spec.mapping,
        interventions=tuple(Named(index, item.name, item) for index, item in enumerate(spec.interventions)),
        hypotheses=tuple(Named(index, item.name, item) for index, item in enumerate(spec.hypotheses)),
        vectors=spec.graph.vectors,
        listed_vectors=_listed(graph),
        rivals={
            name: tuple(Edge(index, *pair) for index, pair in enumerate(pairs))
            for name, pairs in spec.alignment.rival_pairs.items()
        },
        estimation=spec.estimation,
        execution=spec.execution,
        analyses=spec.analyses,
    )


def draft_plain(plain: Any, faulty: frozenset[Path]) -> Draft:
    """Read each part of a spec separately.

    Parameters
    ----------
    plain : Any
        The spec as dicts, lists and scalars.
    faulty : frozenset of paths
        Paths with validation errors; faulty optional values are omitted, so that the rest of a section is read.
    """
    top = plain if isinstance(plain, dict) else {}
    graph = top.get("graph")
    graph = graph if isinstance(graph, dict) else {}
    factors, positions, repeated = _read_factors(graph, faulty)
    edges, edges_known = _read_edges(graph.get("edges", []))
    listed = _listed(graph)

    def named(key: str, read: Callable[[Any], Intervention | Hypothesis]) -> tuple[Named, ...] | None:
        listed = top.get(key, [])
        if not isinstance(listed, list):
            return None
        return tuple(
            Named(
                index,
                item["name"] if isinstance(item, dict) and isinstance(item.get("name"), str) else None,
                _read(read, part, (key, index), faulty),
            )
            for index, item in enumerate(listed)
            for part in (_split_levels(item) if key == "interventions" else (item,))
        )

    mapping = top.get("mapping", {})
    attributes = None if ("graph", "attributes") in faulty else graph.get("attributes")
    return Draft(
        model=_read(MODEL_TAG.read, top.get("model"), ("model",), faulty),
        data=_read(DATA_TAG.read, top.get("data"), ("data",), faulty),
        factors=factors,
        attributes=_read_each(READOUT_TAG.read, attributes, ("graph", "attributes"), faulty),
        factor_positions=positions,
        repeated_factors=repeated,
        edges=edges,
        edges_known=edges_known,
        mapping=_read_each(
            MappingSection.model_validate,
            {key: {"components": [value]} if isinstance(value, str) else value for key, value in mapping.items()}
            if isinstance(mapping, dict)
            else None,
            ("mapping",),
            faulty,
        ),
        interventions=named("interventions", Intervention.model_validate),
        hypotheses=named("hypotheses", Hypothesis.model_validate),
        vectors=_read_each(
            VectorSection.model_validate,
            long_vectors(graph.get("vectors", {})),
            ("graph", "vectors"),
            _as_long(faulty, listed),
        ),
        listed_vectors=listed,
        rivals=_read_rivals(top.get("alignment")),
        estimation=_read(EstimationSection.model_validate, top.get("estimation", {}), ("estimation",), faulty),
        execution=_read(ExecutionSection.model_validate, top.get("execution", {}), ("execution",), faulty),
        analyses={
            name: _read(partial(ANALYSIS_KEYS.read, name), top[name], (name,), faulty)
            for name in sorted(top.keys() & ANALYSES.entries.keys() - Spec.model_fields.keys())
            if top[name] is not None
        },
    )


def _read_factors(
    graph: dict[str, Any], faulty: frozenset[Path]
) -> tuple[Mapping[str, FactorSection | None] | None, dict[str, int], tuple[int, ...]]:
    listed = None if ("graph", "factors") in faulty else graph.get("factors", {})
    if not isinstance(listed, list):
        return _read_each(FactorSection.model_validate, listed, ("graph", "factors"), faulty), {}, ()
    if any(not isinstance(name, str) for name in listed):
        return None, {}, ()
    positions, repeated = _number(listed)
    return {name: FactorSection() for name in positions}, positions, repeated


def _listed(graph: Any) -> frozenset[str]:
    """Vectors given as a list of components."""
    vectors = graph.get("vectors") if isinstance(graph, dict) else None
    found = vectors.items() if isinstance(vectors, dict) else ()
    return frozenset(name for name, section in found if isinstance(section, list))


def _as_long(faulty: frozenset[Path], listed: frozenset[str]) -> frozenset[Path]:
    """Paths within listed vectors, converted to the long form."""
    return frozenset(
        (*path[:3], "components", *path[3:])
        if path[:2] == ("graph", "vectors") and len(path) > 2 and path[2] in listed
        else path
        for path in faulty
    )


def _number(names: Any) -> tuple[dict[str, int], tuple[int, ...]]:
    """First position of each name of a list, and the positions that repeat one."""
    positions: dict[str, int] = {}
    repeated = []
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if name in positions:
            repeated.append(index)
        else:
            positions[name] = index
    return positions, tuple(repeated)


def _read_rivals(alignment: Any) -> dict[str, tuple[Edge, ...]]:
    rivals = alignment.get("rivals") if isinstance(alignment, dict) else None
    return {name: _read_edges(listed)[0] for name, listed in rivals.items()} if isinstance(rivals, dict) else {}


def _read_edges(listed: Any) -> tuple[tuple[Edge, ...], bool]:
    if not isinstance(listed, list):
        return (), False
    edges = []
    for index, edge in enumerate(listed):
        if isinstance(edge, str) and _EDGE.match(edge):
            parent, child = edge.split("->")
            edges.append(Edge(index, parent.strip(), child.strip()))
    return tuple(edges), len(edges) == len(listed)


def _read_each(
    validate: Callable[[Any], _S], plain: Any, base: Path, faulty: frozenset[Path]
) -> dict[str, _S | None] | None:
    if not isinstance(plain, dict):
        return None
    return {key: _read(validate, value, (*base, key), faulty) for key, value in plain.items()}


def _read(validate: Callable[[Any], _S], plain: Any, base: Path, faulty: frozenset[Path]) -> _S | None:
    inside = [path[len(base) :] for path in faulty if path[: len(base)] == base]
    # First only the deepest faulty entries are removed; if the rest is invalid, their parents are removed too.
    for depth in range(max(map(len, inside), default=1), 0, -1):
        cut = [path[:depth] for path in inside if path]
        try:
            return validate(_complete(_without(plain, cut), cut))
        # Pydantic's error, which a marker raises as well.
        except ValueError:
            continue
    return None


def _split_levels(item: Any) -> tuple[Any, ...]:
    if not isinstance(item, dict):
        return (item,)
    given = [level for level in item if level in LEVELS.entries and item[level] is not None]
    if len(given) < 2:
        return (item,)
    return tuple({key: value for key, value in item.items() if key not in given or key == level} for level in given)


def _complete(plain: Any, cut: list[Path]) -> Any:
    """A copy of `plain` with placeholders for the required values at the paths in `cut`."""
    if not isinstance(plain, dict):
        return plain
    full = {
        key: _complete(value, [path[1:] for path in cut if len(path) > 1 and path[0] == key])
        for key, value in plain.items()
    }
    for path in cut:
        key = path[0]
        if isinstance(key, str) and key not in full and key in _STAND_INS:
            full[key] = _STAND_INS[key]
    return full


def _without(plain: Any, paths: list[Path]) -> Any:
    """A copy of `plain` without the deepest mapping entry of each path."""
    if not isinstance(plain, dict):
        return plain
    kept = {}
    for key, value in plain.items():
        below = [path[1:] for path in paths if path[:1] == (key,)]
        if not below:
            kept[key] = value
        elif isinstance(value, dict) and all(path and path[0] in value for path in below):
            kept[key] = _without(value, below)
        elif key == "outcomes" and isinstance(value, list) and all(below):
            # Entries keep their positions, so that a finding on the placeholder has the path already reported.
            faulty = {path[0] for path in below}
            kept[key] = ["_" if index in faulty else entry for index, entry in enumerate(value)]
    return kept
