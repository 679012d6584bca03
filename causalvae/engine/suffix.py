"""Re-runs the operations downstream of changed values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from causalvae.engine.changes import Box, Change, Few, Whole, gather, make_whole
from causalvae.engine.lowering import CONV, CONV_TRANSPOSE, OverlapAdd, argument, pair
from causalvae.engine.rules import FEW_UNITS, LARGE_WINDOW, LINEAR, VIEWS, Scene, apply_rule, rule_of
from causalvae.models.operators import ACTIVATIONS, Environment, Operation, OperatorGraph, Value, evaluate
from causalvae.plan.types import Patch

_ATEN = torch.ops.aten

# In-place activation functions, used if nothing else reads the input.
_IN_PLACE: dict[Any, Callable[..., Tensor]] = {
    _ATEN.relu.default: _ATEN.relu_.default,
    _ATEN.leaky_relu.default: _ATEN.leaky_relu_.default,
    _ATEN.elu.default: _ATEN.elu_.default,
    _ATEN.silu.default: _ATEN.silu_.default,
    _ATEN.tanh.default: _ATEN.tanh_.default,
    _ATEN.sigmoid.default: _ATEN.sigmoid_.default,
}

Entry = Callable[[Tensor | None], Change]


@dataclass
class Ledger:
    """Counts rows, FLOPs, and bytes of activations read and written.

    A partial change counts in proportion to its window and its changed input channels.
    """

    rows: int = 0
    flops: float = 0.0
    bytes: float = 0.0


class Suffix:
    """The operations downstream of patched nodes that the requested outputs need.

    Parameters
    ----------
    graph : OperatorGraph
    patched : tuple of str
    requested : mapping of str to str
        Name of each requested output -> its node.
    from_input : bool
        Re-run everything from the input on instead, which is slower but needs no clean values.
    windows : bool
        Whether changes may be limited to windows.
    """

    def __init__(
        self,
        graph: OperatorGraph,
        patched: tuple[str, ...],
        requested: Mapping[str, str],
        from_input: bool,
        windows: bool,
    ) -> None:
        self._graph = graph
        self._patched = patched
        self._requested = dict(requested)
        self._ends = frozenset(requested.values())
        self._windows = windows
        self.operations = graph.between(graph.inputs if from_input else patched, self._ends)
        self._names = {operation.name for operation in self.operations}
        self._prepared: dict[str, Tensor] = {}

    @cached_property
    def _overwriting(self) -> frozenset[str]:
        """Activation functions that are the only reader of an input newly allocated in this re-run."""
        makers = {CONV, CONV_TRANSPOSE, LINEAR}
        found = set()
        for operation in self.operations:
            if operation.function not in _IN_PLACE:
                continue
            source = operation.args[0].name
            maker = self._graph.by_name[source]
            readers = [name for name in self._graph.users[source] if name in self._names]
            fresh = maker.function in makers or isinstance(maker.function, OverlapAdd)
            if source in self._names and fresh and len(readers) == 1 and source not in {*self._patched, *self._ends}:
                found.add(operation.name)
        return frozenset(found)

    @cached_property
    def _last_reader(self) -> dict[str, list[str]]:
        """Operation -> values that it is the last to read."""
        last: dict[str, str] = {}
        for operation in self.operations:
            for name in operation.inputs:
                last[name] = operation.name
        ends: dict[str, list[str]] = {}
        for name, reader in last.items():
            if name not in self._ends:
                ends.setdefault(reader, []).append(name)
        return ends

    def few_units(self, node: str, patch: Patch) -> tuple[int, ...] | None:
        """The units of a patch if it can be propagated as a change of a few units, else None."""
        shape = self._graph.by_name[node].shape
        if patch.subspace is not None or len(shape) not in (1, 3) or node in self._names:
            return None
        units = tuple(range(shape[0])) if patch.units is None else patch.units
        if len(units) > FEW_UNITS or 2 * len(units) > shape[0]:
            return None
        readers = [self._graph.by_name[name] for name in self._graph.users[node] if name in self._names]
        return units if all(rule_of(reader) is not None for reader in readers) else None

    def partial_nodes(self, node: str, everywhere: bool) -> set[str]:
        """Nodes whose clean values the rules may read if a few units of `node` change; possibly a superset.

        Parameters
        ----------
        node : str
        everywhere : bool
            Whether the units change at all positions of an image, so that a convolution changes the whole image.
        """
        partial, found = {node}, {node}
        for operation in self.operations:
            if partial.isdisjoint(operation.inputs) or rule_of(operation) is None:
                continue
            found.update(name for name in (*operation.inputs, operation.name) if self._graph.by_name[name].aligned)
            if operation.function is LINEAR:
                continue
            mixes = sum(self._graph.by_name[name].aligned for name in operation.inputs) > 1
            boxed = mixes or operation.function in (CONV, CONV_TRANSPOSE)
            boxed = boxed or isinstance(operation.function, OverlapAdd)
            if boxed and (not self._windows or (everywhere and (mixes or self._covers(operation)))):
                continue
            partial.add(operation.name)
        return found

    def _covers(self, operation: Operation) -> bool:
        """Whether all output positions of a convolution depend on some input position."""
        weight = self._graph.parameters.get(operation.args[1].name) if len(operation.args) > 1 else None
        if weight is None:
            return False
        if isinstance(operation.function, OverlapAdd):
            return operation.function.geometry.output_padding == (0, 0)
        if operation.function is CONV_TRANSPOSE:
            return pair(argument(operation, 5, "output_padding", 0)) == (0, 0)
        padding = argument(operation, 4, "padding", 0)
        if isinstance(padding, str):
            return False
        spacing = pair(argument(operation, 5, "dilation", 1))
        return all(
            margin <= (size - 1) * gap
            for margin, size, gap in zip(pair(padding), weight.shape[2:], spacing, strict=True)
        )

    def place(self, node: str, unit: int) -> int:
        """Position of a unit of a vector after it is reshaped to an image; 0 if it is not."""
        grid = self._grid(node)
        return 0 if grid is None else unit % grid

    def _grid(self, node: str) -> int | None:
        """Number of positions of the image that a vector is reshaped to, ignoring elementwise operations; else None."""
        if len(self._graph.by_name[node].shape) != 1:
            return None
        for name in self._graph.users[node]:
            reader = self._graph.by_name[name]
            if name not in self._names:
                continue
            if reader.function in VIEWS and len(reader.shape) == 3:
                return prod(reader.shape[1:])
            if reader.function in ACTIVATIONS:
                return self._grid(name)
        return None

    def run(
        self,
        entries: Mapping[str, Entry],
        clean: Mapping[str, Tensor],
        pairs: Tensor,
        ledger: Ledger | None = None,
    ) -> dict[str, Tensor]:
        """Compute the requested outputs of a batch of rows, by name.

        Parameters
        ----------
        entries : mapping
            Patched node -> function that returns its change, given the value from this re-run, or None if it is not
            downstream of another patched node.
        clean : mapping
            Node -> clean value for the rows of the shard.
        pairs : Tensor, int, shape (rows,)
            Index of the pair of each row in the shard.
        ledger : Ledger, optional
            Counts the computations.
        """
        if ledger is not None:
            ledger.rows += len(pairs)
        changes: dict[str, Change] = {}
        scene = Scene(changes, clean.__getitem__, pairs, self._graph.parameters, self._prepared)
        for node, enter in entries.items():
            if node not in self._names:
                changes[node] = self._settle(enter(None), node, clean, pairs)
        others: Environment = {}
        for operation in self.operations:
            name = operation.name
            change = apply_rule(operation, scene) if self._is_partial(operation, changes) else None
            if change is None:
                value = self._evaluate(operation, changes, others, clean, pairs)
                if name in entries:
                    changes[name] = entries[name](value.clone())
                elif isinstance(value, Tensor) and operation.aligned:
                    changes[name] = Whole(value)
                else:
                    others[name] = value
            else:
                changes[name] = self._settle(change, name, clean, pairs)
            if ledger is not None:
                self._count(ledger, operation, change, changes, len(pairs))
            for read in self._last_reader.get(name, ()):
                changes.pop(read, None)
                others.pop(read, None)
        return {
            name: make_whole(changes[node], clean[node], pairs) if node in changes else gather(clean[node], pairs)
            for name, node in self._requested.items()
        }

    def _count(
        self, ledger: Ledger, operation: Operation, change: Change | None, changes: Mapping[str, Change], rows: int
    ) -> None:
        """Count one operation of a batch; `change` is the result of its rule, None if it was computed in full."""
        size = prod(operation.shape)
        written = rows * size if change is None or isinstance(change, Whole) else change.value.numel()
        share = written / (rows * size) if size else 1.0
        read = 0
        for name in operation.inputs:
            source = changes.get(name)
            if source is None:
                continue
            read += source.value.numel()
            if isinstance(source, Few) and change is not None and not isinstance(change, Few):
                # Only the changed channels were used.
                share *= source.units.shape[1] / self._graph.by_name[name].shape[0]
        ledger.flops += rows * operation.flops * share
        ledger.bytes += 4.0 * (written + read)

    def _is_partial(self, operation: Operation, changes: Mapping[str, Change]) -> bool:
        return any(isinstance(changes.get(name), (Box, Few)) for name in operation.inputs)

    def _settle(self, change: Change, name: str, clean: Mapping[str, Tensor], pairs: Tensor) -> Change:
        """Convert a box to a whole change if its window is large or windows are disabled."""
        shape = self._graph.by_name[name].shape
        # An operation with several results has no shape; its change is settled when the first result is read.
        if not isinstance(change, Box) or not shape:
            return change
        share = change.value[0].numel() / prod(shape)
        if share == 1.0:
            return Whole(change.value)
        if self._windows and share <= LARGE_WINDOW:
            return change
        return Whole(make_whole(change, clean[name], pairs))

    def _evaluate(
        self,
        operation: Operation,
        changes: Mapping[str, Change],
        others: Environment,
        clean: Mapping[str, Tensor],
        pairs: Tensor,
    ) -> Any:
        environment: Environment = {}
        for name in operation.inputs:
            if name in changes:
                change = changes[name]
                whole = isinstance(change, Whole)
                environment[name] = change.value if whole else make_whole(change, clean[name], pairs)
            elif name in others:
                environment[name] = others[name]
            else:
                environment[name] = self._kept(name, clean, pairs)
        if operation.name in self._overwriting:
            arguments = [environment[item.name] if isinstance(item, Value) else item for item in operation.args]
            return _IN_PLACE[operation.function](*arguments, **operation.kwargs)
        return evaluate(operation, environment, len(pairs))

    def _kept(self, name: str, clean: Mapping[str, Tensor], pairs: Tensor) -> Any:
        operation = self._graph.by_name[name]
        if operation.size is not None:
            return operation.size(len(pairs))
        if name in self._graph.parameters:
            return self._graph.parameters[name]
        return gather(clean[name], pairs) if operation.aligned else clean[name]
