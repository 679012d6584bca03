"""Along which edges a mediation sends a change: a path, or the edges of a graph of components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from causalvae.spec.intervention_section import MediationIntervention

# Where every way begins and ends; no component has such a name.
INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class Route:
    """A graph whose nodes are sets of components.

    Parameters
    ----------
    nodes : dict
        Name of each node -> the references that it consists of.
    edges : tuple of (str, str)
        From one node, or `INPUT`, to another, or `OUTPUT`.
    """

    nodes: dict[str, tuple[str, ...]]
    edges: tuple[tuple[str, str], ...]

    @cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """Each node, and `OUTPUT` -> the nodes that it receives a change from, in the order written."""
        found: dict[str, list[str]] = {name: [] for name in (*self.nodes, OUTPUT)}
        for parent, child in self.edges:
            found[child].append(parent)
        return {name: tuple(dict.fromkeys(parents)) for name, parents in found.items()}


def route_of(section: MediationIntervention) -> Route | None:
    """The route of a mediation; None where it names mediators.

    Stages of a path are called by their place, so that none is taken for another.
    """
    if section.path is not None:
        stages = [(stage,) if isinstance(stage, str) else stage for stage in section.path]
        names = [str(place) for place in range(len(stages))]
        chain = (INPUT, *names, OUTPUT)
        return Route(dict(zip(names, stages, strict=True)), tuple(pairwise(chain)))
    if section.edges is not None:
        edges = tuple(split_edge(edge) for edge in section.edges)
        names = list(dict.fromkeys(name for edge in edges for name in edge if name not in (INPUT, OUTPUT)))
        return Route({name: (name,) for name in names}, edges)
    return None


def split_edge(text: str) -> tuple[str, str]:
    """Both ends of an edge that is written ``A -> B``."""
    parent, _, child = text.partition("->")
    return parent.strip(), child.strip()


def references(section: MediationIntervention) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every component reference of a mediation, and its place below it."""
    yield from ((("mediators", place), text) for place, text in enumerate(section.mediators or ()))
    for place, stage in enumerate(section.path or ()):
        if isinstance(stage, str):
            yield ("path", place), stage
        else:
            yield from ((("path", place, member), text) for member, text in enumerate(stage))
    seen: set[str] = set()
    for place, edge in enumerate(section.edges or ()):
        for name in split_edge(edge):
            if name not in (INPUT, OUTPUT, "") and name not in seen:
                seen.add(name)
                yield ("edges", place), name
