"""The path or graph of components along which a mediation propagates a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from causalvae.interventions.mediation.section import MediationIntervention

# First and last node of every path; no component has these names.
INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class Route:
    """A graph whose nodes are sets of components.

    Parameters
    ----------
    nodes : dict
        Name of each node -> its component references.
    edges : tuple of (str, str)
        From a node or `INPUT` to a node or `OUTPUT`.
    """

    nodes: dict[str, tuple[str, ...]]
    edges: tuple[tuple[str, str], ...]

    @cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The parents of each node and of `OUTPUT`, in the order of the edges."""
        found: dict[str, list[str]] = {name: [] for name in (*self.nodes, OUTPUT)}
        for parent, child in self.edges:
            found[child].append(parent)
        return {name: tuple(dict.fromkeys(parents)) for name, parents in found.items()}


def route_of(section: MediationIntervention) -> Route | None:
    """The route of a mediation; None if it names mediators.

    Stages of a path are named by their positions.
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
    """Parent and child of an edge ``A -> B``."""
    parent, _, child = text.partition("->")
    return parent.strip(), child.strip()


def references(section: MediationIntervention) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each component reference of a mediation, with its path below the section."""
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
