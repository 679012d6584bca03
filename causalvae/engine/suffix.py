"""Re-runs the operations downstream of changed values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from causalvae.engine.changes import Box, Change, Few, Whole, gather, make_whole
from causalvae.engine.lowering import (
    CONV,
    CONV_TRANSPOSE,
    FEW_ROWS,
    Convolution1d,
    OverlapAdd,
    argument,
    convolve_pointwise,
    is_pointwise,
    pair,
)
from causalvae.engine.norms import ChannelAffine, GroupNorm
from causalvae.engine.products import LINEAR
from causalvae.engine.rules import FEW_UNITS, LARGE_WINDOW, VIEWS, Scene, apply_rule, rule_of
from causalvae.engine.stretches import Stretch, stretches
from causalvae.models.operators import ACTIVATIONS, Environment, Operation, OperatorGraph, Value, evaluate
from causalvae.plan.types import Patch

_ATEN = torch.ops.aten

# In-place forms, used if nothing else reads the input.
_IN_PLACE: dict[Any, Callable[..., Tensor]] = {
    _ATEN.relu.default: _ATEN.relu_.default,
    _ATEN.leaky_relu.default: _ATEN.leaky_relu_.default,
    _ATEN.elu.default: _ATEN.elu_.default,
    _ATEN.silu.default: _ATEN.silu_.default,
    _ATEN.gelu.default: _ATEN.gelu_.default,
    _ATEN.tanh.default: _ATEN.tanh_.default,
    _ATEN.sigmoid.default: _ATEN.sigmoid_.default,
    _ATEN.add.Tensor: _ATEN.add_.Tensor,
    _ATEN.sub.Tensor: _ATEN.sub_.Tensor,
    _ATEN.mul.Tensor: _ATEN.mul_.Tensor,
    _ATEN.div.Tensor: _ATEN.div_.Tensor,
    # A copy of what nothing else reads is that itself.
    _ATEN.clone.default: lambda value: value,
    _ATEN.dropout.default: lambda value, *rest: value,
}
_SYMMETRIC = frozenset((_ATEN.add.Tensor, _ATEN.mul.Tensor))
_SCALES = frozenset((_ATEN.mul.Tensor, _ATEN.div.Tensor))
# Functions whose result is new memory; that of a dropout that is switched off is its input itself.
_MAKERS = frozenset((*_IN_PLACE, CONV, CONV_TRANSPOSE, *LINEAR, _ATEN.cat.default)) - {_ATEN.dropout.default}

# From the value in this re-run, None if there is none, and the rows of the batch that it belongs to.
Entry = Callable[[Tensor | None, slice], Change]


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
    def _overwriting(self) -> dict[str, str]:
        """Operation -> its input that it may overwrite: new in this re-run, of the same shape, and read by it alone."""
        found = {}
        for operation in self.operations:
            affine = isinstance(operation.function, ChannelAffine)
            if not affine and (operation.function not in _IN_PLACE or operation.kwargs):
                continue
            both = operation.function in _SYMMETRIC
            for item in operation.args[: 2 if both else 1]:
                if isinstance(item, Value) and self._is_free(item.name, operation):
                    found[operation.name] = item.name
                    break
        return found

    def _is_free(self, name: str, reader: Operation) -> bool:
        value = self._graph.by_name[name]
        if name not in self._names or name in self._ends or name in self._patched or value.shape != reader.shape:
            return False
        makes = value.function in _MAKERS or isinstance(
            value.function, (OverlapAdd, Convolution1d, ChannelAffine, GroupNorm)
        )
        readers = [user for user in self._graph.users[name] if user in self._names]
        return makes and value.aligned and readers == [reader.name] and reader.inputs.count(name) == 1

    @cached_property
    def _stretches(self) -> tuple[Stretch, ...]:
        return stretches(self._graph, self.operations, self._ends)

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
            if operation.function in LINEAR:
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
        rows: int | None = None,
    ) -> dict[str, Tensor]:
        """Compute the requested outputs of a batch of rows, by name.

        Parameters
        ----------
        entries : mapping
            Patched node -> function that returns its change.
        clean : mapping
            Node -> clean value for the rows of the shard.
        pairs : Tensor, int, shape (rows,)
            Index of the pair of each row in the shard.
        ledger : Ledger, optional
            Counts the computations.
        rows : int, optional
            Number of rows that are needed, the first ones; all if omitted. There may be more in the result.
        """
        needed = len(pairs) if rows is None else rows
        everyone = slice(0, len(pairs))
        changes: dict[str, Change] = {}
        others: Environment = {}
        waiting = {node: enter for node, enter in entries.items() if node not in self._names}
        computed = len(pairs)
        for stretch in self._stretches:
            divided = 0 < stretch.rows < len(pairs) and pairs.device.type == "cpu"
            read = {name for operation in stretch.operations for name in operation.inputs}
            for node in [node for node in waiting if not divided and node in read]:
                changes[node] = self._settle(waiting.pop(node)(None, everyone), node, clean, pairs)
            if not divided:
                computed = len(pairs)
                changes = {name: _with_rows(change, computed) for name, change in changes.items()}
                self._compute(stretch.operations, entries, clean, pairs, everyone, changes, others, ledger)
                continue
            parts = []
            for first in range(0, needed, stretch.rows):
                some = slice(first, first + stretch.rows)
                part = {name: take(change, some) for name, change in changes.items() if name in read}
                for node, enter in waiting.items():
                    if node in read:
                        part[node] = self._settle(enter(None, some), node, clean, pairs[some])
                self._compute(stretch.operations, entries, clean, pairs[some], some, part, dict(others), ledger)
                parts.append({name: part[name] for name in stretch.kept if name in part})
            computed = len(parts) * stretch.rows
            kept = {name: _join([part[name] for part in parts]) for name in parts[0]}
            changes = {name: take(change, slice(0, computed)) for name, change in changes.items()} | kept
            for operation in stretch.operations:
                for name in self._last_reader.get(operation.name, ()):
                    changes.pop(name, None)
                    waiting.pop(name, None)
        for node, enter in waiting.items():
            changes[node] = enter(None, slice(0, computed))
        if ledger is not None:
            ledger.rows += computed
        found = pairs[:computed]
        return {name: self._final(changes.get(node), node, clean, found) for name, node in self._requested.items()}

    def _final(self, change: Change | None, node: str, clean: Mapping[str, Tensor], pairs: Tensor) -> Tensor:
        """The whole value of a requested node."""
        if isinstance(change, Whole):
            return change.value
        return gather(clean[node], pairs) if change is None else make_whole(change, clean[node], pairs)

    def _compute(
        self,
        operations: Sequence[Operation],
        entries: Mapping[str, Entry],
        clean: Mapping[str, Tensor],
        pairs: Tensor,
        rows: slice,
        changes: dict[str, Change],
        others: Environment,
        ledger: Ledger | None,
    ) -> None:
        """Compute some operations for some rows; `changes` and `others` have the values so far, and receive the new."""
        scene = Scene(changes, clean.__getitem__, pairs, self._graph.parameters, self._prepared)
        count = len(pairs)
        for operation in operations:
            name = operation.name
            change = apply_rule(operation, scene) if self._is_partial(operation, changes) else None
            if change is None:
                value = self._evaluate(operation, changes, others, clean, pairs)
                if name in entries:
                    changes[name] = entries[name](value.clone(), rows)
                elif isinstance(value, Tensor) and operation.aligned:
                    changes[name] = Whole(value)
                else:
                    others[name] = value
            else:
                changes[name] = self._settle(change, name, clean, pairs)
            if ledger is not None:
                self._count(ledger, operation, change, changes, count)
            for read in self._last_reader.get(name, ()):
                changes.pop(read, None)
                others.pop(read, None)

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
        rows = len(pairs)
        for name in operation.inputs:
            size = self._graph.by_name[name].size
            if size is not None:
                environment[name] = size(rows)
            elif name in changes:
                change = changes[name]
                whole = isinstance(change, Whole)
                environment[name] = change.value if whole else make_whole(change, clean[name], pairs)
            elif name in others:
                environment[name] = others[name]
            else:
                environment[name] = self._kept(name, clean, pairs)
        # What a gradient is taken through may be needed again.
        target = None if torch.is_grad_enabled() else self._overwriting.get(operation.name)
        if target is None:
            if rows < FEW_ROWS and is_pointwise(operation, self._graph.parameters):
                return convolve_pointwise(operation, environment)
            return evaluate(operation, environment, rows)
        arguments = [environment[item.name] if isinstance(item, Value) else item for item in operation.args]
        if isinstance(operation.function, ChannelAffine):
            return operation.function.into(arguments[0], *arguments)
        if operation.args[0] != Value(target):
            arguments.reverse()
        if operation.function in _SCALES and isinstance(arguments[1], (int, float)) and arguments[1] == 1:
            return environment[target]
        return _IN_PLACE[operation.function](*arguments)

    def _kept(self, name: str, clean: Mapping[str, Tensor], pairs: Tensor) -> Any:
        operation = self._graph.by_name[name]
        if name in self._graph.parameters:
            return self._graph.parameters[name]
        return gather(clean[name], pairs) if operation.aligned else clean[name]


def take(change: Change, rows: slice) -> Change:
    """Some rows of a change, without copying them."""
    match change:
        case Whole():
            return Whole(change.value[rows])
        case Box():
            return Box(change.window, change.value[rows])
        case Few():
            return Few(change.units[rows], change.window, change.value[rows])


def _join(parts: Sequence[Change]) -> Change:
    """Changes of the same form, of the rows after one another."""
    values = torch.cat([part.value for part in parts]) if len(parts) > 1 else parts[0].value
    match parts[0]:
        case Whole():
            return Whole(values)
        case Box(window):
            return Box(window, values)
        case Few(_, window):
            return Few(torch.cat([part.units for part in parts if isinstance(part, Few)]), window, values)


def _with_rows(change: Change, rows: int) -> Change:
    """A change with its last row repeated until there are `rows`."""
    given = len(change.value)
    if given == rows:
        return change
    places = torch.arange(rows).clamp(max=given - 1)
    match change:
        case Whole():
            return Whole(gather(change.value, places))
        case Box():
            return Box(change.window, gather(change.value, places))
        case Few():
            return Few(change.units[places], change.window, gather(change.value, places))
