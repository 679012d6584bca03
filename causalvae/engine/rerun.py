"""Re-runs many arms of one shard together, starting at the patched nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations

import torch
from torch import Tensor

from causalvae.engine.changes import Few, Whole, gather
from causalvae.engine.memory import BatchSize
from causalvae.engine.suffix import Entry, Ledger, Suffix
from causalvae.engine.values import (
    CleanRuns,
    SiteRuns,
    Statistics,
    apply_patch,
    live_rows,
    padded_rows,
    selection,
)
from causalvae.models.components import ComponentMap
from causalvae.models.hooked import HookedNetwork, unmet
from causalvae.models.operators import ACTIVATIONS, Operation, OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.types import OUTPUT, Arm, Options, Patch, Side
from causalvae.spec.value_source import ValueSource


@dataclass(frozen=True)
class Shortcuts:
    """Work that a re-run may skip; outcomes are the same, with `windows` and `low_rank` up to rounding.

    Parameters
    ----------
    suffix : bool
        Re-run from the patched nodes; else from the input.
    dead_rows : bool
        Skip rows whose patched value equals the clean one, also after a following activation function.
    low_rank : bool
        Apply the next linear operation only to the difference in the patched units if they are few.
    windows : bool
        Compute only the part of an image-shaped value that can have changed.
    """

    suffix: bool = True
    dead_rows: bool = True
    low_rank: bool = True
    windows: bool = True

    @classmethod
    def of(cls, options: Options) -> Shortcuts:
        """The shortcuts for the options of a plan."""
        suffix = options.rerun == "suffix"
        low_rank = suffix and options.low_rank
        return cls(suffix, options.skip_dead_rows, low_rank, low_rank and options.windows)


@dataclass(frozen=True)
class Batch:
    """Rows that were run together.

    Parameters
    ----------
    arms : Tensor, int, shape (rows,)
        Index of the arm of each row in the group.
    pairs : Tensor, int, shape (rows,)
        Index of the pair of each row in the shard.
    values : mapping
        Requested output -> its values, (rows, ...).
    """

    arms: Tensor
    pairs: Tensor
    values: Mapping[str, Tensor]

    @property
    def output(self) -> Tensor:
        """The output of the network, (rows, *output_shape)."""
        return self.values[OUTPUT]


class Group:
    """Arms of one shard that patch the same sites on the same side, and so re-run the same operations.

    For a network without an operator graph, each row is a whole forward pass.

    Parameters
    ----------
    graph : Program
    components : ComponentMap
    arms : sequence of Arm
        Arms of one side with patches at the same sites.
    clean : CleanRuns
        The shard's clean values.
    statistics : mapping
        Site name -> statistics over the cohort, for sources that need them.
    pairs : sequence of int
        Number of rows of each arm in the shard (the first ones).
    shortcuts : Shortcuts
    requested : tuple of str
        Names of the requested outputs.
    ends : mapping of str to str, optional
        Requested values instead of outputs: any name -> node.
    """

    def __init__(
        self,
        graph: Program,
        components: ComponentMap,
        arms: Sequence[Arm],
        clean: CleanRuns,
        statistics: Mapping[str, Statistics],
        pairs: Sequence[int],
        shortcuts: Shortcuts,
        requested: tuple[str, ...] = (OUTPUT,),
        ends: Mapping[str, str] | None = None,
    ) -> None:
        self._graph = graph
        self._components = components
        self._arms = arms
        self._clean = clean
        self._statistics = statistics
        self._pairs = pairs
        self._shortcuts = shortcuts
        self._ends = {name: graph.outputs[name] for name in requested} if ends is None else dict(ends)
        self._side: Side = arms[0].side
        self._sources: dict[tuple[str, ValueSource], Tensor] = {}

    @cached_property
    def _nodes(self) -> list[str]:
        """The node of each patch; several patches may change different parts of one value."""
        nodes = [self._components.site(patch.site).node for patch in self._arms[0].patches]
        if len(set(nodes)) < len(nodes):
            for arm in self._arms:
                _refuse_overlap(nodes, arm.patches)
        for values in self._clean.sides.values():
            for node in nodes:
                if node not in values:
                    raise unmet(node)
        return nodes

    @cached_property
    def _entered(self) -> dict[str, list[int]]:
        """Patched node -> indices of its patches in each arm."""
        entered: dict[str, list[int]] = {}
        for position, node in enumerate(self._nodes):
            entered.setdefault(node, []).append(position)
        return entered

    @cached_property
    def suffix(self) -> Suffix:
        """The operations that are re-run, with their rules."""
        if not isinstance(self._graph, OperatorGraph):
            raise TypeError("a network without an operator graph is run from its input")
        return Suffix(
            self._graph,
            tuple(self._entered),
            self._ends,
            from_input=not self._shortcuts.suffix,
            windows=self._shortcuts.windows,
        )

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations that may be re-run."""
        return self.suffix.operations

    def _source(self, patch: Patch) -> Tensor:
        key = (patch.site, patch.source)
        if key not in self._sources:
            node = self._components.site(patch.site).node
            facts = self._statistics.get(patch.site, Statistics())
            self._sources[key] = patch.source.compute(SiteRuns(patch.site, node, self._side, self._clean, facts))
        return self._sources[key]

    def live(self) -> Tensor:
        """Which rows must be run: bool tensor, (arms, shard rows)."""
        values = self._clean.sides[self._side]
        device = values[self._nodes[0]].device
        covered = (
            torch.arange(self._clean.rows, device=device)[None] < torch.tensor(self._pairs, device=device)[:, None]
        )
        if not self._shortcuts.dead_rows:
            return covered
        followers = {node: self._activation(node) for node in self._nodes}
        changed = []
        for arm in self._arms:
            rows = torch.zeros(self._clean.rows, dtype=torch.bool, device=device)
            for node, patch in zip(self._nodes, arm.patches, strict=True):
                rows |= live_rows(patch, self._source(patch), values[node], followers[node])
            changed.append(rows)
        return covered & torch.stack(changed)

    def _activation(self, node: str) -> Callable[[Tensor], Tensor] | None:
        """The activation function that is the only reader of `node`; None if there is none."""
        if not isinstance(self._graph, OperatorGraph):
            return None
        readers = [self._graph.by_name[name] for name in self._graph.users[node]]
        if len(readers) != 1 or node in self._graph.outputs.values() or readers[0].function not in ACTIVATIONS:
            return None
        reader = readers[0]
        return lambda value: reader.call(value, *reader.args[1:], **reader.kwargs)

    def batches(self, live: Tensor, size: BatchSize, ledger: Ledger | None = None) -> Iterator[Batch]:
        """Run the live rows in the order of parts and arms; a small batch is padded with its last row.

        Parameters
        ----------
        live : Tensor, bool, shape (arms, shard rows)
        size : BatchSize
            Number of rows run together; it shrinks when memory runs out.
        ledger : Ledger, optional
            Counts the computations.
        """
        for members in self.parts():
            chosen = torch.tensor(members, device=live.device)
            arms, pairs = live[chosen].nonzero(as_tuple=True)
            arms = chosen[arms]
            first = 0
            while first < len(arms):
                rows = min(size.rows, len(arms) - first)
                padded = torch.arange(first, first + padded_rows(rows), device=arms.device).clamp(max=first + rows - 1)
                values = size.attempt(partial(self._run, arms[padded], pairs[padded], rows, ledger))
                if values is None:
                    continue
                kept = {name: value[:rows] for name, value in values.items()}
                yield Batch(arms[first : first + rows], pairs[first : first + rows], kept)
                first += rows

    def parts(self) -> list[list[int]]:
        """Indices of arms, grouped by the shape of their changes, since only these can be run together."""
        parts: dict[tuple[object, ...], list[int]] = {}
        for position, arm in enumerate(self._arms):
            parts.setdefault(self._form(arm), []).append(position)
        return list(parts.values())

    def _form(self, arm: Arm) -> tuple[object, ...]:
        if len(arm.patches) > 1 or not self._shortcuts.low_rank or not isinstance(self._graph, OperatorGraph):
            return ()
        patch, node = arm.patches[0], self._nodes[0]
        few = self.suffix.few_units(node, patch)
        if few is None:
            return ()
        place = self.suffix.place(node, few[0]) if self._shortcuts.windows and len(few) == 1 else 0
        return (len(few), patch.window, place)

    def _run(self, arms: Tensor, pairs: Tensor, rows: int, ledger: Ledger | None) -> dict[str, Tensor]:
        clean = self._clean.sides[self._side]
        if isinstance(self._graph, HookedNetwork):
            return self._run_whole(self._graph, arms, pairs, ledger)
        form = self._form(self._arms[int(arms[0])])
        if form:
            entries: dict[str, Entry] = {self._nodes[0]: lambda value, some: self._few(arms[some], pairs[some])}
        else:
            entries = {
                node: lambda value, some, node=node: Whole(  # type: ignore[misc]
                    self._patched(
                        gather(clean[node], pairs[some]) if value is None else value, node, arms[some], pairs[some]
                    )
                )
                for node in self._entered
            }
        return self.suffix.run(entries, clean, pairs, ledger, rows)

    def _run_whole(
        self, network: HookedNetwork, arms: Tensor, pairs: Tensor, ledger: Ledger | None
    ) -> dict[str, Tensor]:
        """A whole forward pass with patches applied by hooks."""
        clean = self._clean.sides[self._side]
        edits = {node: partial(self._patched, node=node, arms=arms, pairs=pairs) for node in self._entered}
        given = (gather(clean[name], pairs) for name in network.inputs)
        outputs = network.rerun(edits, *given, nodes=self._ends)
        if ledger is not None:
            ledger.rows += len(pairs)
            ledger.flops += len(pairs) * network.flops
            ledger.bytes += len(pairs) * network.bytes
        return outputs

    def _few(self, arms: Tensor, pairs: Tensor) -> Few:
        """The patched units of each row with their new values."""
        present, counts = torch.unique_consecutive(arms, return_counts=True)
        patches = [self._arms[arm].patches[0] for arm in present.tolist()]
        shape = self._components.site(patches[0].site).shape
        given = patches[0].window
        window = (*given, *((0, size) for size in shape[1 + len(given) :]))
        units = torch.tensor([patch.units or range(shape[0]) for patch in patches], device=arms.device)
        units = units.repeat_interleave(counts, 0)
        inside = (slice(None), slice(None), *(slice(start, stop) for start, stop in window))
        if len({patch.source for patch in patches}) == 1:
            return Few(units, window, self._source(patches[0])[inside][pairs[:, None], units])
        values = []
        for patch, rows in zip(patches, pairs.split(counts.tolist()), strict=True):
            values.append(self._source(patch)[selection(patch, len(shape) + 1)][rows])
        return Few(units, window, torch.cat(values))

    def _patched(self, value: Tensor, node: str, arms: Tensor, pairs: Tensor) -> Tensor:
        """Patch the rows of a node's `value` in place; rows are sorted by arm."""
        present, counts = torch.unique_consecutive(arms, return_counts=True)
        first = 0
        for arm, count in zip(present.tolist(), counts.tolist(), strict=True):
            rows = slice(first, first + count)
            for position in self._entered[node]:
                patch = self._arms[arm].patches[position]
                facts = self._statistics.get(patch.site)
                apply_patch(value[rows], patch, self._source(patch)[pairs[rows]], facts)
            first += count
        return value


def _refuse_overlap(nodes: Sequence[str], patches: Sequence[Patch]) -> None:
    """Raise `ValueError` if two patches of an arm overlap, since their order would be undefined."""
    for (first_node, first), (second_node, second) in combinations(zip(nodes, patches, strict=True), 2):
        if first_node == second_node and first.meets(second):
            raise ValueError("an arm patches one value twice; join the patches")


def group_arms(arms: Sequence[Arm]) -> list[list[int]]:
    """Indices of `arms`, grouped by side and sites, in order of first appearance."""
    groups: dict[tuple[Side, tuple[str, ...]], list[int]] = {}
    for position, arm in enumerate(arms):
        groups.setdefault((arm.side, tuple(patch.site for patch in arm.patches)), []).append(position)
    return list(groups.values())
