"""Finds the clean values that the arms of a shard need; all others are freed during the clean run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from causalvae.engine.relays import ends_of
from causalvae.engine.rerun import Shortcuts, group_arms
from causalvae.engine.suffix import Suffix
from causalvae.engine.values import CleanRuns
from causalvae.models.components import ComponentMap
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.relays import group_inner, inner_runs
from causalvae.plan.types import Arm, Side
from causalvae.spec.value_source import DonorKey


@dataclass(frozen=True)
class Keep:
    """Nodes whose clean values are kept.

    Parameters
    ----------
    sides : mapping
        Side -> nodes.
    donors : mapping
        `donor_key` of a source -> nodes that are patched from it.
    relayed : tuple of str
        The node of each value that a relayed source reads.
    """

    sides: Mapping[Side, frozenset[str]]
    donors: Mapping[DonorKey, frozenset[str]]
    relayed: tuple[str, ...] = ()

    def with_base(self, nodes: frozenset[str]) -> Keep:
        """The same, and these nodes on the base side."""
        return replace(self, sides={**self.sides, "base": self.sides["base"] | nodes})

    def is_within(self, clean: CleanRuns, sides: Collection[Side]) -> bool:
        """Whether clean runs have all these values on `sides` and of donors."""
        own = all(self.sides[side] <= clean.sides.get(side, {}).keys() for side in sides)
        return own and all(nodes <= clean.donors.get(key, {}).keys() for key, nodes in self.donors.items())

    def numbers(self, graph: Program) -> int:
        """Number of scalars kept per pair, for both sides, all donors and all relayed values."""
        sets = [*self.sides.values(), *self.donors.values(), self.relayed]
        return sum(prod(graph.shape(name)) for nodes in sets for name in nodes if graph.aligned(name))


def needed_values(
    graph: Program,
    components: ComponentMap,
    arms: Sequence[Arm],
    shortcuts: Shortcuts,
    requested: tuple[str, ...],
) -> Keep:
    """The clean values that re-running `arms` reads.

    Parameters
    ----------
    graph : Program
    components : ComponentMap
    arms : sequence of Arm
    shortcuts : Shortcuts
    requested : tuple of str
        Names of the requested outputs.
    """
    always = {*graph.inputs, *graph.outputs.values()}
    sides: dict[Side, set[str]] = {"base": set(always), "counterfactual": set(always)}
    donors: dict[DonorKey, set[str]] = {}
    relayed: list[str] = []
    outputs = {name: graph.outputs[name] for name in requested}
    groups = [([arms[member] for member in members], outputs) for members in group_arms(arms)]
    for runs in group_inner(inner_runs(arms)):
        ends = ends_of(runs, components)
        # A row whose patches change nothing has the clean value at its end.
        sides[runs[0].arm.side].update(ends.values())
        relayed += len(runs) * list(ends.values())
        groups.append(([run.arm for run in runs], ends))
    for group, ends in groups:
        nodes = tuple(components.site(patch.site).node for patch in group[0].patches)
        if not nodes:
            continue
        # An interchange reads the site on the other side.
        sides["base"].update(nodes)
        sides["counterfactual"].update(nodes)
        for arm in group:
            for node, patch in zip(nodes, arm.patches, strict=True):
                key = patch.source.donor_key(arm.side)
                if key is not None:
                    donors.setdefault(key, set()).add(node)
        if isinstance(graph, OperatorGraph):
            sides[group[0].side].update(_reads(graph, nodes, group, shortcuts, ends))
    return Keep(
        {side: frozenset(names) for side, names in sides.items()},
        {key: frozenset(names) for key, names in donors.items()},
        tuple(relayed),
    )


def _reads(
    graph: OperatorGraph, nodes: tuple[str, ...], arms: Sequence[Arm], shortcuts: Shortcuts, ends: Mapping[str, str]
) -> set[str]:
    """Nodes that arms with patches of `nodes` read on their own side, if run up to `ends`."""
    suffix = Suffix(graph, nodes, ends, from_input=not shortcuts.suffix, windows=shortcuts.windows)
    found = graph.reads(nodes if shortcuts.suffix else graph.inputs, ends.values())
    # Values computed from parameters only are the same for every row.
    read = [graph.by_name[name] for operation in suffix.operations for name in operation.inputs]
    found |= {value.name for value in read if value.function and not value.batched and value.size is None}
    if shortcuts.low_rank and len(nodes) == 1:
        spread = len(graph.by_name[nodes[0]].shape) == 3
        entries = {
            spread and not arm.patches[0].window
            for arm in arms
            if suffix.few_units(nodes[0], arm.patches[0]) is not None
        }
        for everywhere in entries:
            found |= suffix.partial_nodes(nodes[0], everywhere)
    return found
