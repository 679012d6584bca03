"""What a patch is of, as plans and results hold it: components together, along edges, or a part of a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from causalvae.models.components import Component, ComponentRef

ARROW = " → "
Directions = Literal["learned", "all", "other", "random"]


class _Labelled:
    """Values whose text, in messages and columns, is their label; no code takes it apart again."""

    @property
    def label(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class ComponentSet(_Labelled):
    """Components that are patched together; none where nothing is patched.

    Parameters
    ----------
    components : tuple of ComponentRef
        In the order in which the spec has them.
    """

    components: tuple[ComponentRef, ...] = ()
    kind: Literal["set"] = "set"

    def __bool__(self) -> bool:
        return bool(self.components)

    @property
    def label(self) -> str:
        """The components as addresses, joined by ``+``; empty where nothing is patched."""
        return " + ".join(component.label for component in self.components)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that they lie at, each once."""
        return tuple(dict.fromkeys(component.site for component in self.components))

    @property
    def unit(self) -> int | None:
        """The position of what is one unit of one site, without a window; else None."""
        if len(self.components) == 1:
            (component,) = self.components
            if component.units is not None and len(component.units) == 1 and not component.window:
                return component.units[0]
        return None


@dataclass(frozen=True)
class ComponentPath(_Labelled):
    """Components along the edges of a route, by which a change is sent from the input to the output.

    Parameters
    ----------
    stages : tuple of ComponentSet
        The nodes of the route.
    edges : tuple of (int or None, int or None)
        Positions of the stages that each edge joins; the start None is the input, the end None the output.
    """

    stages: tuple[ComponentSet, ...]
    edges: tuple[tuple[int | None, int | None], ...]
    kind: Literal["path"] = "path"

    @property
    def inner(self) -> tuple[tuple[int, int], ...]:
        """The edges between stages."""
        return tuple((start, end) for start, end in self.edges if start is not None and end is not None)

    @property
    def label(self) -> str:
        """The stages with arrows between them; of what is no chain, every inner edge."""
        names = [stage.label if len(stage.components) == 1 else f"({stage.label})" for stage in self.stages]
        if self.edges == chain_edges(len(names)):
            return ARROW.join(names)
        joined = {stage for edge in self.inner for stage in edge}
        parts = [f"{names[start]}{ARROW}{names[end]}" for start, end in self.inner]
        return "; ".join([*parts, *(name for stage, name in enumerate(names) if stage not in joined)])


def chain_edges(length: int) -> tuple[tuple[int | None, int | None], ...]:
    """The edges of a chain of this many stages, from the input to the output."""
    places: tuple[int | None, ...] = (None, *range(length), None)
    return tuple(pairwise(places))


@dataclass(frozen=True)
class SubspacePart(_Labelled):
    """Some directions of a site's units.

    Parameters
    ----------
    whole : ComponentSet
        The units.
    directions : {"learned", "all", "other", "random"}
        ``other``: all that are orthogonal to the learned ones.
    count : int
        How many directions.
    """

    whole: ComponentSet
    directions: Directions
    count: int
    kind: Literal["subspace"] = "subspace"

    @property
    def part_label(self) -> str:
        """The directions without what they are of."""
        if self.directions == "all":
            return "all"
        ending = "s" if self.count > 1 else ""
        if self.directions == "other":
            return f"the other {self.count} directions" if self.count > 1 else "the other direction"
        return f"{self.count} {self.directions} direction{ending}"

    @property
    def label(self) -> str:
        """What they are of, and the directions."""
        return f"{self.whole.label}: {self.part_label}"


@dataclass(frozen=True)
class DataFactor(_Labelled):
    """A factor of the data instead of a component: what a perfect network would have."""

    name: str
    kind: Literal["factor"] = "factor"

    @property
    def label(self) -> str:
        """Its name."""
        return self.name


Target: TypeAlias = ComponentSet | ComponentPath | SubspacePart | DataFactor

NOTHING = ComponentSet()


def set_of(found: Sequence[Component]) -> ComponentSet:
    """Resolved components as a target."""
    return ComponentSet(tuple(component.ref for component in found))
