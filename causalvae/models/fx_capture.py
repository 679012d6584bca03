"""Captures a network by symbolic tracing, where `torch.export` refuses it.

Tracing sees what forward() calls and not the values, so it takes what cannot be exported but has no control flow of its
own: functions that leave torch and are wrapped with `torch.fx.wrap`, operators without shape rules, modules that keep
values on themselves. What each call does is then watched on example inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_leaves

from causalvae.errors import CausalVAEError, first_line
from causalvae.models.batch_rows import check_rows
from causalvae.models.capture import check_agreement, check_example
from causalvae.models.fx_calls import ModuleCall, Translated, translate
from causalvae.models.fx_tracing import ModuleTracer, calls_of
from causalvae.models.hooked import copy_modules, has_hooks
from causalvae.models.operators import Environment, Operation, OperatorGraph, Value, evaluate, tensors_of
from causalvae.models.probe import CostMeter
from causalvae.models.purity import equal
from causalvae.models.quiet import quiet, unchecked_distributions

# Methods and attributes that ask about a tensor and not for its values.
_QUESTIONS = frozenset(("size", "dim", "ndimension", "numel", "nelement", "shape", "ndim"))


def capture_by_fx(
    network: nn.Module, example: tuple[Tensor, ...], outputs: tuple[str, ...], others: tuple[Tensor, ...] = ()
) -> OperatorGraph:
    """Capture `network` in evaluation mode by `torch.fx`.

    Parameters
    ----------
    network : nn.Module
        Returns a tuple of tensors.
    example : tuple of Tensor
        Arguments with a batch of at least two rows.
    outputs : tuple of str
        A name for each value that the network returns.
    others : tuple of Tensor
        Further arguments, over which the graph must give the network's values as well.

    Raises
    ------
    CausalVAEError
        CV110 where the network cannot be traced, or where what was traced does not give the network's own values bit
        for bit.
    """
    network.eval()
    check_example(example)
    if has_hooks(network):
        # Tracing would hand symbols to hooks that expect tensors.
        raise _refusal("forward hooks hang on its modules")
    before = {name: tensor.clone() for name, tensor in tensors_of(network).items()}
    try:
        with quiet(), unchecked_distributions(), torch.no_grad():
            # Symbols that forward() keeps on a module stay on the copy.
            copied = copy_modules(network)
            tracer = ModuleTracer(network)
            traced = tracer.trace(copied)
            reader = _Reader(copied, example)
            for node in traced.nodes:
                if node not in tracer.abandoned:
                    reader.read(node)
            graph = reader.graph(outputs)
            # A function that is wrapped as one operation may branch on values, so other inputs must agree as well.
            for given in filter(None, (example, others)):
                check_agreement(graph, network, given)
            check_rows(network, example, outputs)
    except CausalVAEError:
        raise
    except Exception as error:
        reason = first_line(error)
        raise _refusal(reason) from error
    changed = [name for name, tensor in tensors_of(network).items() if not _equal(tensor, before[name])]
    if changed:
        raise _refusal(f"forward() changes {', '.join(changed)}")
    return graph


def _refusal(reason: str) -> CausalVAEError:
    return CausalVAEError(
        "CV110",
        f"the network cannot be traced as an operator graph: {reason.rstrip('.')}.",
        "Control flow that depends on values is the usual cause; express it with torch.where.",
    )


def _equal(one: Any, other: Any) -> bool:
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return bool(one == other)
    return equal(one, other)


def _all_equal(one: Any, other: Any) -> bool:
    ones, others = tree_leaves(one), tree_leaves(other)
    return len(ones) == len(others) and all(map(_equal, ones, others))


@dataclass
class _Run:
    """One batch of the example, and what the nodes read so far are for it."""

    rows: int
    values: Environment = field(default_factory=dict)


class _Reader:
    """Turns traced nodes into operations, one after the other, and runs each on batches of several sizes.

    Parameters
    ----------
    network : nn.Module
        What was traced.
    example : tuple of Tensor
    """

    def __init__(self, network: nn.Module, example: tuple[Tensor, ...]) -> None:
        self._network = network
        self._state = tensors_of(network)
        rows = min(len(value) for value in example)
        # Three sizes, so that a number that follows the batch size is told from one that follows it at two only.
        self._example = tuple(value if rows > 2 else torch.cat([value, value[:1]]) for value in example)
        rows = max(rows, 3)
        whole = _Run(rows)
        self._alone = [_Run(1) for _ in range(rows)]
        self._runs = [whole, _Run(2), *self._alone]
        self._parts = [slice(0, rows), slice(0, 2), *(slice(row, row + 1) for row in range(rows))]
        self._operations: list[Operation] = []
        self._parameters: dict[str, Tensor] = {}
        self._origins: dict[str, str] = {}
        self._inputs: list[str] = []
        self._ends: list[str] = []
        self._batched: set[str] = set()
        self._sizes: dict[str, Callable[[int], Any]] = {}
        # Numbers that no batch changes, and for each node that was written on the node that has its value now.
        self._constants: dict[str, Any] = {}
        self._newer: dict[str, str] = {}
        self._memory = _Memory()

    def read(self, node: fx.Node) -> None:
        """Add one traced node; nodes come in the order of computation."""
        if node.op == "placeholder":
            self._add_input(node)
        elif node.op == "get_attr":
            self._add_parameter(node.name, str(node.target))
        elif node.op == "output":
            self._ends = [self._resolve(item).name for item in node.args[0]]  # type: ignore[union-attr]
        elif node.op == "call_module":
            module = self._network.get_submodule(str(node.target))
            names = tuple(tensors_of(module))
            held = [f"{node.target}.{name}" for name in names]
            for name in held:
                if name not in self._parameters:
                    self._add_parameter(name, name)
            call = Translated(ModuleCall(module, names), (tuple(map(Value, held)), *node.args), dict(node.kwargs))
            self._add_call(node, call)
        else:
            self._add_call(node, translate(node, self._is_tensor))

    def graph(self, outputs: tuple[str, ...]) -> OperatorGraph:
        """What was read, without what no output is computed from."""
        whole = self._runs[0].values
        if not all(isinstance(whole.get(name), Tensor) for name in self._ends):
            raise _refusal("it returns something else than tensors")
        self._memory.check_unseen(self._ends, "the network")
        ends = dict(zip(outputs, self._ends, strict=True))
        graph = OperatorGraph(self._operations, tuple(self._inputs), ends, self._parameters, self._origins, "fx")
        needed = graph.ancestors(self._ends) | set(self._inputs)
        return OperatorGraph(
            [operation for operation in self._operations if operation.name in needed],
            tuple(self._inputs),
            ends,
            {name: value for name, value in self._parameters.items() if name in needed},
            {name: value for name, value in self._origins.items() if name in needed},
            "fx",
        )

    def _is_tensor(self, argument: Any) -> bool:
        resolved = self._resolve(argument)
        return isinstance(resolved, Value) and isinstance(self._runs[0].values[resolved.name], Tensor)

    def _add_input(self, node: fx.Node) -> None:
        position = len(self._inputs)
        if position >= len(self._example):
            raise _refusal(f"forward() takes a further argument, {node.target}")
        for run, part in zip(self._runs, self._parts, strict=True):
            run.values[node.name] = self._example[position][part].clone()
        self._memory.note(node.name, self._runs[0].values[node.name])
        self._inputs.append(node.name)
        self._batched.add(node.name)
        self._operations.append(
            self._with_shape(Operation(node.name, None, (), {}, (), True, False, None, (), (), 0.0))
        )

    def _add_parameter(self, name: str, target: str) -> None:
        value: Any = self._state.get(target)
        if value is None:
            value = self._network
            for part in target.split("."):
                value = getattr(value, part)
        else:
            self._origins[name] = target
        if not isinstance(value, Tensor):
            raise _refusal(f"{target} is not a tensor")
        self._parameters[name] = value.detach()
        for run in self._runs:
            run.values[name] = self._parameters[name]
        self._memory.note(name, value, held=True)
        self._operations.append(Operation(name, None, (), {}, (), False, False, None, (), (), 0.0))

    def _resolve(self, argument: Any) -> Any:
        """An argument over the nodes that hold its values now, numbers that never change put in place."""
        if isinstance(argument, (fx.Node, Value)):
            name = argument.name
            while name in self._newer:
                name = self._newer[name]
            return self._constants[name] if name in self._constants else Value(name)
        if isinstance(argument, slice):
            parts = [self._resolve(part) for part in (argument.start, argument.stop, argument.step)]
            if any(isinstance(part, Value) for part in parts):
                raise _refusal("a slice ends where values say")
            return slice(*parts)
        if isinstance(argument, (list, tuple)):
            items = [self._resolve(item) for item in argument]
            return tuple(items) if isinstance(argument, tuple) else items
        if isinstance(argument, Mapping):
            if any(isinstance(self._resolve(item), Value) for item in argument.values()):
                raise _refusal("a value is passed in a dictionary")
            return dict(argument)
        return argument

    def _add_call(self, node: fx.Node, call: Translated) -> None:
        args = self._resolve(call.args)
        kwargs = {key: self._resolve(value) for key, value in call.kwargs.items()}
        inputs = tuple(dict.fromkeys(_names((args, kwargs))))
        self._memory.check_unseen(inputs, node.name)
        given = Operation(node.name, call.function, args, kwargs, inputs, False, False, None, calls_of(node), (), 0.0)
        flops = self._run(given)
        values = [run.values[node.name] for run in self._runs]
        if not any(isinstance(leaf, Tensor) for leaf in tree_leaves(values[0])) and self._is_about_sizes(node, inputs):
            self._add_size(given, values)
            return
        batched = any(name in self._batched or name in self._sizes for name in inputs)
        if batched:
            self._batched.add(node.name)
        elif not all(_all_equal(values[0], value) for value in values):
            raise _refusal(f"{node.name} is another value each time")
        self._operations.append(
            self._with_shape(replace(given, batched=batched, flops=flops / self._runs[0].rows if batched else 0.0))
        )
        self._memory.note(node.name, values[0])
        if call.writes:
            self._overwrite(args[0].name, node.name)

    def _run(self, operation: Operation) -> float:
        """Compute an operation on every batch; FLOPs on the first."""
        whole, *others = self._runs
        watched: list[tuple[Tensor, Tensor]] = []
        if not isinstance(operation.function, torch._ops.OpOverload):
            given = (whole.values[name] for name in operation.inputs)
            watched = [(leaf, leaf.clone()) for leaf in tree_leaves(list(given)) if isinstance(leaf, Tensor)]
        with CostMeter() as meter:
            whole.values[operation.name] = evaluate(operation, whole.values, whole.rows)
        if not all(_equal(now, before) for now, before in watched):
            raise _refusal(f"{operation.name} writes on what it is given")
        for run in others:
            run.values[operation.name] = evaluate(operation, run.values, run.rows)
        return float(meter.flops)

    def _is_about_sizes(self, node: fx.Node, inputs: tuple[str, ...]) -> bool:
        asked = node.args[1] if node.target is getattr else node.target
        return asked in _QUESTIONS or all(name in self._sizes for name in inputs)

    def _add_size(self, given: Operation, values: list[Any]) -> None:
        """Add a number, or a tuple of numbers, that follows from the batch size alone."""
        if all(_equal(values[0], value) for value in values):
            self._constants[given.name] = values[0]
            return
        size = self._composed(given) if given.inputs and all(name in self._sizes for name in given.inputs) else None
        size = size or self._fitted(given.name, values)
        self._sizes[given.name] = size
        self._operations.append(replace(given, inputs=(), size=size))

    def _composed(self, given: Operation) -> Callable[[int], Any]:
        sources = {name: self._sizes[name] for name in given.inputs}
        return lambda rows: evaluate(given, {name: size(rows) for name, size in sources.items()}, rows)

    def _fitted(self, name: str, values: list[Any]) -> Callable[[int], Any]:
        """A tensor's size along each axis as a linear function of the batch size."""
        whole, two, one = ([int(leaf) for leaf in tree_leaves(values[position])] for position in (0, 1, 2))
        slopes = [second - first for first, second in zip(one, two, strict=True)]
        starts = [first - slope for first, slope in zip(one, slopes, strict=True)]
        if whole != [start + slope * self._runs[0].rows for start, slope in zip(starts, slopes, strict=True)]:
            raise _refusal(f"{name} is not proportional to the batch size")
        if isinstance(values[0], int):
            return lambda rows: starts[0] + slopes[0] * rows
        return lambda rows: tuple(start + slope * rows for start, slope in zip(starts, slopes, strict=True))

    def _with_shape(self, operation: Operation) -> Operation:
        """The operation, told whether its value has one row an input and of what shape."""
        values = [run.values[operation.name] for run in self._runs]
        whole = values[0]
        if not operation.batched or not all(isinstance(value, Tensor) and value.ndim > 0 for value in values):
            return operation
        shape = tuple(whole.shape[1:])
        if any(tuple(value.shape) != (run.rows, *shape) for run, value in zip(self._runs, values, strict=True)):
            return operation
        alone = torch.cat([run.values[operation.name] for run in self._alone])
        return replace(operation, aligned=True, shape=shape) if _close(whole, alone) else operation

    def _overwrite(self, target: str, node: str) -> None:
        self._memory.overwrite(target, node)
        self._newer[target] = node


def _names(argument: Any) -> Iterable[str]:
    """Names of the nodes in an argument."""
    if isinstance(argument, Value):
        yield argument.name
    elif isinstance(argument, Mapping):
        for item in argument.values():
            yield from _names(item)
    elif isinstance(argument, (list, tuple)):
        for item in argument:
            yield from _names(item)


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether two values agree within what another kernel may round differently."""
    if not one.is_floating_point():
        return torch.equal(one, other)
    slack = 1e-4 * float(one.abs().nan_to_num().max()) + 1e-6 if one.numel() else 0.0
    return torch.allclose(one, other, rtol=1e-3, atol=slack, equal_nan=True)


class _Memory:
    """Which nodes share memory, so that none is read after another's change has changed it too."""

    def __init__(self) -> None:
        self._blocks: dict[str, set[int]] = {}
        # Memory blocks that stand for one: what was written on goes on in a copy.
        self._same: dict[int, int] = {}
        self._held: set[int] = set()
        self._stale: set[str] = set()

    def note(self, node: str, value: Any, held: bool = False) -> None:
        """Take in the value of a node; `held` where it outlives the pass."""
        leaves = [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor) and leaf.numel()]
        self._blocks[node] = {leaf.untyped_storage().data_ptr() for leaf in leaves}
        if held:
            self._held |= self._blocks[node]

    def overwrite(self, target: str, node: str) -> None:
        """Take in that `target` was written on, and that its value goes on in `node`."""
        written = self._roots(target)
        if written & {self._root(block) for block in self._held}:
            raise _refusal(f"forward() writes on a parameter or buffer ({node})")
        self._stale |= {name for name in self._blocks if name != node and self._roots(name) & written}
        for block in self._roots(node):
            for root in written:
                self._same[block] = root

    def check_unseen(self, inputs: Iterable[str], node: str) -> None:
        """Refuse where an operation reads a value that was overwritten under another name."""
        for name in inputs:
            if name in self._stale:
                raise _refusal(f"{node} reads {name}, which was overwritten through another view of it")

    def _root(self, block: int) -> int:
        while block in self._same:
            block = self._same[block]
        return block

    def _roots(self, node: str) -> set[int]:
        return {self._root(block) for block in self._blocks[node]}
