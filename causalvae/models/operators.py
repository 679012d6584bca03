"""A network as a graph of operators over named values, which can be re-run from any value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from causalvae.models.functional import ACTIVATION_NAMES
from causalvae.models.program import How

Environment = dict[str, Any]

# Elementwise operations that count as the activation function of the module before them.
ACTIVATIONS = frozenset(
    getattr(torch.ops.aten, name).default for name in ACTIVATION_NAMES if hasattr(torch.ops.aten, name)
)


@dataclass(frozen=True)
class Operation:
    """One node: `name` = `function(*args, **kwargs)`, where `Value` objects refer to other nodes.

    Parameters
    ----------
    name : str
    function : callable or None
        None for an input or a parameter.
    args, kwargs
        Arguments, with `Value` in place of the values of other nodes.
    inputs : tuple of str
        Names of the nodes it reads.
    batched : bool
        Whether its value depends on the inputs or the batch size (False for parameters and values computed from them
        alone).
    aligned : bool
        Whether its value is a tensor whose row i belongs to input i. A batched value need not be aligned: a view can
        merge the batch axis with another one, a transposition can move it.
    size : callable or None
        For a number that depends on the batch size, the function from the batch size to the number.
    calls : tuple of (str, int, str)
        Enclosing modules, outermost first: path, number of the call, class name.
    shape : tuple of int
        Without the batch axis; empty if the value is not aligned.
    flops : float
        Two per multiply-add, per row.
    """

    name: str
    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[str, ...]
    batched: bool
    aligned: bool
    size: Callable[[int], int] | None
    calls: tuple[tuple[str, int, str], ...]
    shape: tuple[int, ...]
    flops: float

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with other arguments; raises `KeyError` for an input or a parameter."""
        if self.function is None:
            raise KeyError(self.name)
        return self.function(*args, **kwargs)


@dataclass(frozen=True)
class Value:
    """A reference to the value of another node in an operation's arguments."""

    name: str


class OperatorGraph:
    """Operations in execution order, and the values of the parameters they read.

    Parameters
    ----------
    operations : sequence of Operation
    inputs : tuple of str
        Names of the input nodes, in the order of the network's arguments.
    outputs : dict
        Name of each output of the network -> name of the node that holds it.
    parameters : dict
        Node name -> tensor.
    origins : dict
        Node name of a parameter or buffer -> its dotted name in the network; constants have none.

    Attributes
    ----------
    derived : dict
        What others made of the graph and use again: it is freed with the graph.
    """

    how: How = "export"

    def __init__(
        self,
        operations: Iterable[Operation],
        inputs: tuple[str, ...],
        outputs: Mapping[str, str],
        parameters: Mapping[str, Tensor],
        origins: Mapping[str, str],
    ) -> None:
        self.operations = tuple(operations)
        self.inputs = inputs
        self.outputs = dict(outputs)
        self.parameters = dict(parameters)
        self.origins = dict(origins)
        self.derived: dict[Any, Any] = {}
        self.by_name = {operation.name: operation for operation in self.operations}
        self.users: dict[str, list[str]] = {operation.name: [] for operation in self.operations}
        for operation in self.operations:
            for name in operation.inputs:
                self.users[name].append(operation.name)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a node's value without the batch axis; empty if it is not aligned."""
        return self.by_name[name].shape

    def aligned(self, name: str) -> bool:
        """Whether row i of a node's value belongs to input i."""
        return self.by_name[name].aligned

    def batched(self, name: str) -> bool:
        """Whether a node's value depends on the inputs or the batch size."""
        return self.by_name[name].batched

    @property
    def flops(self) -> float:
        """FLOPs of a full forward pass, per row."""
        return sum(operation.flops for operation in self.operations)

    def descendants(self, names: Iterable[str]) -> set[str]:
        """All nodes computed from any of `names`, excluding `names`."""
        found: set[str] = set()
        stack = list(names)
        while stack:
            for user in self.users[stack.pop()]:
                if user not in found:
                    found.add(user)
                    stack.append(user)
        return found

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """All nodes that any of `names` is computed from, including `names`."""
        found = set(names)
        stack = list(found)
        while stack:
            for name in self.by_name[stack.pop()].inputs:
                if name not in found:
                    found.add(name)
                    stack.append(name)
        return found

    def between(self, patched: Iterable[str], requested: Iterable[str]) -> tuple[Operation, ...]:
        """The operations to re-run when `patched` change: downstream of them and needed for `requested`.

        Inputs of these operations that are batched but not aligned are included, since a stored value of such a node is
        valid only for the batch that it was computed for.
        """
        given = set(patched)
        wanted = self.descendants(given) & self.ancestors(requested)
        stack = list(wanted)
        while stack:
            for name in self.by_name[stack.pop()].inputs:
                read = self.by_name[name]
                if read.batched and not read.aligned and name not in wanted and name not in given:
                    wanted.add(name)
                    stack.append(name)
        return tuple(operation for operation in self.operations if operation.name in wanted)

    def run(self, *values: Tensor, keep: Iterable[str] | None = None, to_end: bool = True) -> Environment:
        """Run a forward pass.

        Parameters
        ----------
        *values : Tensor
            The network's arguments; all have the same batch size.
        keep : iterable of str, optional
            Nodes whose values are returned in addition to the outputs'; all if omitted. Others are freed after use.
        to_end : bool
            Whether the outputs are computed; otherwise only what the nodes of `keep` are computed from.
        """
        rows = len(values[0])
        environment: Environment = {**self.parameters, **dict(zip(self.inputs, values, strict=True))}
        kept = None if keep is None else set(keep) | (set(self.outputs.values()) if to_end else set())
        operations = self.operations
        if kept is not None and not to_end:
            needed = self.ancestors(kept)
            operations = tuple(operation for operation in operations if operation.name in needed)
        last_read: dict[str, str] = {}
        if kept is not None:
            for operation in operations:
                for name in operation.inputs:
                    last_read[name] = operation.name
        for operation in operations:
            if operation.name not in environment:
                environment[operation.name] = evaluate(operation, environment, rows)
            if kept is not None:
                for name in operation.inputs:
                    if last_read[name] == operation.name and name not in kept and name not in self.parameters:
                        environment.pop(name, None)
        if kept is None:
            return environment
        return {name: environment[name] for name in kept if name in environment}

    def rewritten(self, operations: Iterable[Operation], parameters: Mapping[str, Tensor]) -> OperatorGraph:
        """The graph with the same inputs and outputs and other operations and parameters."""
        return OperatorGraph(operations, self.inputs, self.outputs, parameters, self.origins)

    def reads(self, patched: Iterable[str], requested: Iterable[str]) -> set[str]:
        """The nodes whose clean values a re-run from `patched` needs: the patched ones and those that it reads."""
        given = set(patched)
        steps = self.between(given, requested)
        rerun = {operation.name for operation in steps}
        read = {name for operation in steps for name in operation.inputs} | given | set(requested)
        return {name for name in read if name in given or (name not in rerun and self.by_name[name].aligned)}

    def with_parameters(self, state: Mapping[str, Tensor]) -> OperatorGraph:
        """The graph with other parameters, given by node name."""
        if state.keys() != self.parameters.keys():
            raise KeyError("parameter names differ")
        return OperatorGraph(self.operations, self.inputs, self.outputs, state, self.origins)

    def with_weights_of(self, network: nn.Module) -> OperatorGraph:
        """The graph with the parameters and buffers of another network of the same architecture."""
        tensors = tensors_of(network)
        fresh = {node: tensors[name].detach() for node, name in self.origins.items()}
        return OperatorGraph(self.operations, self.inputs, self.outputs, {**self.parameters, **fresh}, self.origins)

    def without_weights(self) -> OperatorGraph:
        """The graph with no parameters but constants, for `with_weights_of`."""
        constants = {name: value for name, value in self.parameters.items() if name not in self.origins}
        return self.rewritten(self.operations, constants)

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> OperatorGraph:
        """The graph with its parameters on `device`; floating-point ones are cast to `dtype` if it is given."""
        return self.with_parameters(
            {
                name: value.to(device, dtype if value.is_floating_point() else None)
                for name, value in self.parameters.items()
            }
        )


def evaluate(operation: Operation, environment: Mapping[str, Any], rows: int) -> Any:
    """The value of one operation, with inputs from `environment`."""
    if operation.size is not None:
        return operation.size(rows)
    arguments = [environment[item.name] if type(item) is Value else _fill(item, environment) for item in operation.args]
    if not operation.kwargs:
        return operation.call(*arguments)
    return operation.call(*arguments, **{key: _fill(value, environment) for key, value in operation.kwargs.items()})


def _fill(argument: Any, environment: Mapping[str, Any]) -> Any:
    if isinstance(argument, Value):
        return environment[argument.name]
    if isinstance(argument, (list, tuple)):
        return type(argument)(_fill(item, environment) for item in argument)
    return argument


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by dotted name; a shared one appears under each of its names."""
    return {
        **dict(network.named_parameters(remove_duplicate=False)),
        **dict(network.named_buffers(remove_duplicate=False)),
    }
