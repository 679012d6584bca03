"""Forward passes by the kernels of re-runs, so that both give the same bits, with large values a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from causalvae.engine.changes import Whole
from causalvae.engine.suffix import Entry, Suffix
from causalvae.models.operators import Environment, OperatorGraph, evaluate


class Forward:
    """The forward pass of a graph that returns the values of some nodes.

    Parameters
    ----------
    graph : OperatorGraph
    keep : frozenset of str or None
        Nodes whose values are returned in addition to the outputs'; all if None. Values that are valid only for the
        rows that they were computed with, batched but not aligned, are not returned.
    to_end : bool
        Whether the outputs are computed as well.
    """

    def __init__(self, graph: OperatorGraph, keep: frozenset[str] | None, to_end: bool = True) -> None:
        self._graph_inputs, self._parameters = graph.inputs, graph.parameters
        ends = graph.outputs.values() if to_end else ()
        names = set(graph.by_name) if keep is None else {*keep, *ends} & graph.by_name.keys()
        computed = graph.descendants(graph.inputs)
        self._given = names - computed
        self._ends = {name: name for name in names & computed if graph.aligned(name)}
        self._suffix = Suffix(graph, graph.inputs, self._ends, from_input=True, windows=False)
        # What depends on the number of rows alone, or on nothing.
        needed = graph.ancestors([*names, *(name for each in self._suffix.operations for name in each.inputs)])
        self._apart = tuple(
            operation
            for operation in graph.operations
            if operation.name in needed - computed and (operation.function is not None or operation.size is not None)
        )

    def __call__(self, values: tuple[Tensor, ...], rows: int) -> dict[str, Any]:
        """The values of the first `rows` rows; there are more in the arguments, and may be more in the result."""
        count = len(values[0])
        inputs = dict(zip(self._graph_inputs, values, strict=True))
        clean: Environment = {**self._parameters, **inputs}
        for operation in self._apart:
            if operation.name not in clean:
                clean[operation.name] = evaluate(operation, clean, count)
        entries: dict[str, Entry] = {
            name: lambda value, some, given=given: Whole(given[some])  # type: ignore[misc]
            for name, given in inputs.items()
        }
        found = self._suffix.run(entries, clean, torch.arange(count, device=values[0].device), rows=rows)
        return {**{name: clean[name] for name in self._given if name in clean}, **found}


def run_forward(
    graph: OperatorGraph, values: tuple[Tensor, ...], rows: int, keep: Iterable[str] | None, to_end: bool = True
) -> dict[str, Any]:
    """A forward pass without gradients; see `Forward`."""
    known: dict[tuple[frozenset[str] | None, bool], Forward] = graph.derived.setdefault(Forward, {})
    key = None if keep is None else frozenset(keep), to_end
    if key not in known:
        known[key] = Forward(graph, *key)
    return known[key](values, rows)
