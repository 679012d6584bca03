"""Runs many arms of one shard at once, from the patched nodes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from causalvae.engine.values import MIN_ROWS, CleanRuns, Statistics, apply_patch, live_rows, source_value
from causalvae.models.components import ComponentMap
from causalvae.models.operators import Environment, Operation, OperatorGraph, evaluate
from causalvae.plan.types import Arm, Patch, Side, Source


@dataclass(frozen=True)
class Batch:
    """Rows that were run together.

    Parameters
    ----------
    arms : Tensor, int, shape (rows,)
        Position of each row's arm in the group.
    pairs : Tensor, int, shape (rows,)
        Position of each row's pair in the shard.
    output : Tensor, shape (rows, *output_shape)
    """

    arms: Tensor
    pairs: Tensor
    output: Tensor


class Group:
    """Arms of one shard that patch the same sites on the same side, so that they re-run the same operations.

    Parameters
    ----------
    graph : OperatorGraph
    components : ComponentMap
    arms : sequence of Arm
        All of one side and with patches at the same sites.
    clean : CleanRuns
        The shard's clean values.
    statistics : mapping
        Site name -> facts over the cohort, for sources that need them.
    pairs : sequence of int
        For each arm, how many of the shard's rows it covers (the first ones).
    skip_dead : bool
        Leave out rows whose patched value equals the clean one: their outcome is the clean outcome.
    from_input : bool
        Re-run everything from the input rather than from the patched nodes: the slow form that needs no kept values.
    """

    def __init__(
        self,
        graph: OperatorGraph,
        components: ComponentMap,
        arms: Sequence[Arm],
        clean: CleanRuns,
        statistics: Mapping[str, Statistics],
        pairs: Sequence[int],
        skip_dead: bool,
        from_input: bool = False,
    ) -> None:
        self._graph = graph
        self._components = components
        self._arms = arms
        self._clean = clean
        self._statistics = statistics
        self._pairs = pairs
        self._skip_dead = skip_dead
        self._from_input = from_input
        self._side: Side = arms[0].side
        self._sources: dict[tuple[str, Source], Tensor] = {}

    @cached_property
    def _nodes(self) -> list[str]:
        nodes = [self._components.site(patch.site).node for patch in self._arms[0].patches]
        if len(set(nodes)) < len(nodes):
            raise ValueError("an arm patches one value twice; join the patches")
        return nodes

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """What is re-run."""
        start = self._graph.inputs if self._from_input else self._nodes
        return self._graph.between(start, [self._graph.outputs["output"]])

    def _source(self, patch: Patch) -> Tensor:
        key = (patch.site, patch.source)
        if key not in self._sources:
            node = self._components.site(patch.site).node
            self._sources[key] = source_value(
                patch.source, node, self._side, self._clean, self._statistics.get(patch.site, Statistics())
            )
        return self._sources[key]

    def live(self) -> Tensor:
        """Which rows must be run: bool tensor, (arms, shard rows)."""
        device = self._clean.sides[self._side][self._nodes[0]].device
        covered = (
            torch.arange(self._clean.rows, device=device)[None] < torch.tensor(self._pairs, device=device)[:, None]
        )
        if not self._skip_dead:
            return covered
        values = self._clean.sides[self._side]
        changed = []
        for arm in self._arms:
            rows = torch.zeros(self._clean.rows, dtype=torch.bool, device=device)
            for patch in arm.patches:
                rows |= live_rows(patch, self._source(patch), values[self._components.site(patch.site).node])
            changed.append(rows)
        return covered & torch.stack(changed)

    def batches(self, live: Tensor, batch_rows: int) -> Iterator[Batch]:
        """Run the live rows, at most `batch_rows` at once, arm by arm; a small batch is padded with its last row."""
        arms, pairs = live.nonzero(as_tuple=True)
        for first in range(0, len(arms), batch_rows):
            chosen = slice(first, first + batch_rows)
            rows = len(arms[chosen])
            padded = torch.arange(first, first + max(rows, MIN_ROWS), device=arms.device).clamp(max=first + rows - 1)
            yield Batch(arms[chosen], pairs[chosen], self._run(arms[padded], pairs[padded])[:rows])

    def _run(self, arms: Tensor, pairs: Tensor) -> Tensor:
        clean = self._clean.sides[self._side]
        environment: Environment = {}
        rerun = {operation.name for operation in self.operations}
        by_node: dict[str, int] = {node: position for position, node in enumerate(self._nodes)}
        for node, position in by_node.items():
            if node not in rerun:
                environment[node] = self._patched(clean[node][pairs], position, arms, pairs)
        for operation in self.operations:
            for name in operation.inputs:
                if name not in environment:
                    environment[name] = self._kept(name, pairs)
            value = evaluate(operation, environment, len(pairs))
            if operation.name in by_node:
                value = self._patched(value.clone(), by_node[operation.name], arms, pairs)
            environment[operation.name] = value
        output = self._graph.outputs["output"]
        if output not in environment:
            environment[output] = clean[output][pairs]
        result: Tensor = environment[output]
        return result

    def _kept(self, name: str, pairs: Tensor) -> Tensor | int:
        operation = self._graph.by_name[name]
        if operation.size is not None:
            return operation.size(len(pairs))
        if name in self._graph.parameters:
            return self._graph.parameters[name]
        value = self._clean.sides[self._side][name]
        return value[pairs] if operation.aligned else value

    def _patched(self, value: Tensor, position: int, arms: Tensor, pairs: Tensor) -> Tensor:
        """Patch each arm's rows of `value` in place; rows come arm by arm."""
        present, counts = torch.unique_consecutive(arms, return_counts=True)
        first = 0
        for arm, count in zip(present.tolist(), counts.tolist(), strict=True):
            rows = slice(first, first + count)
            patch = self._arms[arm].patches[position]
            apply_patch(value[rows], patch, self._source(patch)[pairs[rows]])
            first += count
        return value


def group_arms(arms: Sequence[Arm]) -> list[list[int]]:
    """Positions of `arms` grouped by side and sites, groups and members in order of first appearance."""
    groups: dict[tuple[Side, tuple[str, ...]], list[int]] = {}
    for position, arm in enumerate(arms):
        groups.setdefault((arm.side, tuple(patch.site for patch in arm.patches)), []).append(position)
    return list(groups.values())
