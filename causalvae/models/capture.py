"""Captures a network once as a graph of operators that can be re-run from anywhere.

`torch.export` gives the operators with the path of the module that each belongs to; here they become an
`OperatorGraph`: an ordered list of operations over named values, with a dynamic batch axis. The export's decomposition
makes in-place operations functional, so a stored value is never overwritten.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Set
from contextlib import suppress
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from causalvae.collector import uncollected
from causalvae.errors import CausalVAEError, first_line
from causalvae.models.operators import Operation, OperatorGraph, Value, tensors_of
from causalvae.models.quiet import quiet, unchecked_distributions, unfused_attention
from causalvae.models.stored_graphs import find_stored, graph_key
from causalvae.models.structure import structure_of

# Rows at which a network that branches on their number is compared.
_MANY = 96
# Graphs of this process by the structure of their networks, without weights; a trace takes about a second.
_captured: dict[Hashable, OperatorGraph] = {}
_MOST_CAPTURED = 64


def capture(
    network: nn.Module, example: tuple[Tensor, ...], outputs: tuple[str, ...], others: tuple[Tensor, ...] = ()
) -> OperatorGraph:
    """Capture `network` in evaluation mode with `torch.export`; see `capture_network` for the parameters.

    A network of the same structure as one before it takes over its graph, which is checked against the network as
    every graph is.

    Raises
    ------
    CausalVAEError
        CV110 if the network cannot be captured, or if the captured graph does not give the network's values
        bit for bit.
    """
    network.eval()
    check_example(example)
    structure = structure_of(network, example)
    key = None if structure is None else (structure, outputs)
    with unfused_attention():
        if key in _captured:
            with suppress(CausalVAEError):
                return _checked(_captured[key].with_weights_of(network), network, example, others)
        elif (stored := _stored(structure, outputs)) is not None:
            with suppress(CausalVAEError):
                return _checked(stored.with_weights_of(network), network, example, others)
        graph = _checked(trace(network, example, outputs), network, example, others)
    if key is not None:
        while len(_captured) >= _MOST_CAPTURED:
            _captured.pop(next(iter(_captured)), None)
        _captured[key] = graph.without_weights()
    return graph


def trace(network: nn.Module, example: tuple[Tensor, ...], outputs: tuple[str, ...]) -> OperatorGraph:
    """The operators of a network in evaluation mode, not yet compared with it; see `capture`."""
    return _read(_export(network, example), network, outputs)


def _stored(structure: Hashable | None, outputs: tuple[str, ...]) -> OperatorGraph | None:
    key = None if structure is None else graph_key(structure, outputs)
    return None if key is None else find_stored(key)


def check_example(example: tuple[Tensor, ...]) -> None:
    """Refuse arguments of one row, which cannot show what the batch axis is."""
    if min(len(value) for value in example) < 2:
        raise ValueError("an example of one row leaves the batch axis fixed")


def _export(network: nn.Module, example: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    """Export with a dynamic batch size. If the network branches on it, compare the small-batch branch on a large batch.

    Some networks take another branch for large batches that gives the same values, such as another memory layout. The
    exported branch must then give the same values at the batch sizes of the engine.
    """
    batch = torch.export.Dim("batch", min=1, max=65536)
    try:
        return _traced(network, example, batch)
    except Exception as error:
        reason = first_line(error)
        refusal = CausalVAEError(
            "CV110",
            f"the network cannot be captured as an operator graph: {reason}",
            "Data-dependent control flow in forward() is the usual cause; express it with torch.where.",
        )
        refusal.__cause__ = error
    try:
        program = _traced(network, example, torch.export.Dim.AUTO)
    except Exception:
        raise refusal from refusal.__cause__
    if any(not isinstance(axis, torch.SymInt) for axis in _batch_axes(program)):
        raise refusal
    many = tuple(value.repeat(_MANY // len(value) + 1, *[1] * (value.ndim - 1))[:_MANY] for value in example)
    graph = _read(program, network, tuple(str(place) for place in range(len(program.graph_signature.user_outputs))))
    with torch.inference_mode():
        expected = network(*(value.clone() for value in many))
        try:
            found = graph.run(*many)
        except Exception:  # whatever an operation raises that was traced with another number of rows
            raise refusal from refusal.__cause__
    for node, value in zip(graph.outputs.values(), expected, strict=True):
        slack = 1e-5 * float(value.abs().max())
        if found[node].shape != value.shape or not torch.allclose(found[node], value, rtol=1e-5, atol=slack):
            raise refusal
    return program


def _traced(network: nn.Module, example: tuple[Tensor, ...], batch: Any) -> torch.export.ExportedProgram:
    with quiet(), unchecked_distributions(), torch.no_grad(), uncollected():
        # Tracing may modify its inputs in place, as the network does.
        given = tuple(value.clone() for value in example)
        program = torch.export.export(network, given, dynamic_shapes=tuple({0: batch} for _ in example))
        decomposed: torch.export.ExportedProgram = program.run_decompositions({})
    return decomposed


def _batch_axes(program: torch.export.ExportedProgram) -> list[Any]:
    """The first axis of each of the network's arguments, as traced."""
    names = set(program.graph_signature.user_inputs)
    return [
        node.meta["val"].shape[0] for node in program.graph.nodes if node.op == "placeholder" and node.name in names
    ]


def _read(program: torch.export.ExportedProgram, network: nn.Module, outputs: tuple[str, ...]) -> OperatorGraph:
    signature = program.graph_signature
    if signature.buffers_to_mutate:
        raise CausalVAEError(
            "CV110",
            f"forward() changes {', '.join(signature.buffers_to_mutate.values())}.",
            "A network must not change its state in evaluation mode.",
        )
    state = tensors_of(network)
    held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    constants = signature.inputs_to_lifted_tensor_constants
    parameters: dict[str, Tensor] = {}
    inputs: list[str] = []
    operations: list[Operation] = []
    calls = _Calls(frozenset(name for name, _ in network.named_modules(remove_duplicate=False)))
    batched: set[str] = set()
    sizes: set[str] = set()
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name in held:
                parameters[node.name] = state[held[node.name]].detach()
            elif node.name in constants:
                parameters[node.name] = program.constants[constants[node.name]].detach()
            else:
                inputs.append(node.name)
                batched.add(node.name)
            operations.append(_operation(node, None, node.name in batched, ()))
        elif node.op == "call_function":
            sources = {source.name for source in node.all_input_nodes}
            size = _size_of(node.meta.get("val"))
            if size is not None:
                sizes.add(node.name)
            elif sources & (batched | sizes):
                batched.add(node.name)
            operations.append(_operation(node, size, node.name in batched, calls.of(node)))
    origins = {name: held[name] for name in parameters if name in held}
    # The traced function also returns inputs that the network modified in place; these are dropped.
    ends = dict(zip(outputs, signature.user_outputs, strict=True))
    return OperatorGraph(operations, tuple(inputs), ends, parameters, origins)


def _operation(
    node: fx.Node, size: Callable[[int], int] | None, batched: bool, calls: tuple[tuple[str, int, str], ...]
) -> Operation:
    value = node.meta.get("val")
    aligned = batched and _is_aligned(value)
    function = None
    if node.op == "call_function":
        function = node.target if callable(node.target) else None
    return Operation(
        name=node.name,
        function=function,
        args=_wrap(tuple(node.args)),
        kwargs={key: _wrap(argument) for key, argument in node.kwargs.items()},
        # A size is computed from the number of rows, so it depends on no node's value.
        inputs=() if size is not None else tuple(dict.fromkeys(source.name for source in node.all_input_nodes)),
        batched=batched,
        aligned=aligned,
        size=size,
        calls=calls,
        shape=tuple(value.shape[1:]) if aligned and isinstance(value, Tensor) else (),
        flops=_flops(node) if batched else 0.0,
    )


def _wrap(argument: Any) -> Any:
    if isinstance(argument, fx.Node):
        return Value(argument.name)
    if isinstance(argument, (list, tuple)):
        items = [_wrap(item) for item in argument]
        return tuple(items) if isinstance(argument, tuple) else items
    return argument


def _is_aligned(value: Any) -> bool:
    """Whether the first axis of a traced value, and no other, is the batch axis."""
    if not isinstance(value, Tensor) or value.ndim == 0 or not isinstance(value.shape[0], torch.SymInt):
        return False
    return value.shape[0].node.expr.is_Symbol and not any(isinstance(axis, torch.SymInt) for axis in value.shape[1:])


def _size_of(value: Any) -> Callable[[int], int] | None:
    """The function from the batch size to a symbolic number; None for other values."""
    if not isinstance(value, torch.SymInt):
        return None
    expression = value.node.expr
    symbols = list(expression.free_symbols)
    if not symbols:
        constant = int(expression)
        return lambda rows: constant
    if len(symbols) > 1:
        raise CausalVAEError(
            "CV110",
            "the network has more than one open axis.",
            "Only the batch axis may vary; fix the input's shape.",
        )
    symbol = symbols[0]
    if expression == symbol:
        return lambda rows: rows
    # Substitution takes a tenth of a millisecond.
    return lru_cache(maxsize=64)(lambda rows: int(expression.subs(symbol, rows)))


class _Calls:
    """Numbers the calls of each module; the export gives each further call of a module another key.

    Parameters
    ----------
    modules : set of str
        Paths of the modules. The export also lists code of decompositions, which is ignored.
    """

    def __init__(self, modules: Set[str]) -> None:
        self._modules = modules
        self._keys: dict[str, list[str]] = {}

    def of(self, node: fx.Node) -> tuple[tuple[str, int, str], ...]:
        found = []
        for key, (path, kind) in (node.meta.get("nn_module_stack") or {}).items():
            clean = path.split("@")[0]
            if not clean or clean not in self._modules:
                continue
            keys = self._keys.setdefault(clean, [])
            if key not in keys:
                keys.append(key)
            name = kind if isinstance(kind, str) else kind.__name__
            found.append((clean, keys.index(key) + 1, name.rsplit(".", 1)[-1]))
        return tuple(found)


def _flops(node: fx.Node) -> float:
    value = node.meta.get("val")
    if not isinstance(value, Tensor) or value.ndim == 0:
        return 0.0
    outputs = float(prod(_row_shape(node)))
    name = getattr(node.target, "_opname", getattr(node.target, "__name__", ""))
    if name.startswith("conv") or name == "linear":
        kernel = _row_shape(node.args[1])
        # A transposed convolution spreads each input over the kernel, a plain one gathers the kernel into each output.
        positions = float(prod(_row_shape(node.args[0]))) if name.startswith("conv_transpose") else outputs
        return 2.0 * positions * prod(kernel[1:])
    if name in ("matmul", "mm", "bmm", "addmm"):
        return 2.0 * outputs * _row_shape(node.args[1 if name == "addmm" else 0])[-1]
    return 0.0 if node.target is operator.getitem else outputs


def _row_shape(node: Any) -> list[int]:
    """The shape of a traced value for a batch of one row."""
    axes = []
    for axis in node.meta["val"].shape:
        size = _size_of(axis)
        axes.append(int(axis) if size is None else size(1))
    return axes


def _checked(
    graph: OperatorGraph, network: nn.Module, example: tuple[Tensor, ...], others: tuple[Tensor, ...]
) -> OperatorGraph:
    _check_agreement(graph, network, example, one_by_one=True)
    if others:
        # That a row is its own is known of the network itself, and of the graph from the example.
        _check_agreement(graph, network, others, one_by_one=False)
    return graph


def _check_agreement(graph: OperatorGraph, network: nn.Module, example: tuple[Tensor, ...], one_by_one: bool) -> None:
    """Raise CV110 if a graph does not reproduce the network's values bit for bit, or mixes rows of a batch.

    Raises
    ------
    CausalVAEError
        CV110.
    """
    rows = len(example[0]) if one_by_one else 0
    with torch.inference_mode():
        expected = network(*(value.clone() for value in example))
        environment = graph.run(*example)
        alone = [graph.run(*(value[row : row + 1] for value in example)) for row in range(rows)]
    for name, value in zip(graph.outputs, expected, strict=True):
        node = graph.outputs[name]
        # A batch of one row may select another kernel, so equality is required only up to rounding.
        # NaN is reported by the check at load time; here it must not count as a difference.
        value, found = value.nan_to_num(), environment[node].nan_to_num()
        slack = 1e-4 * float(value.abs().max()) + 1e-6
        if alone:
            single = torch.cat([values[node] for values in alone]).nan_to_num()
            if single.shape != value.shape or not torch.allclose(single, value, rtol=1e-3, atol=slack):
                raise CausalVAEError(
                    "CV110",
                    f"an input's {name} depends on the other inputs of its batch.",
                    "Normalise within an input, not over the batch, in evaluation mode.",
                )
        if not torch.equal(found, value):
            raise CausalVAEError(
                "CV110",
                f"the captured graph of the network gives another {name} than the network itself.",
                "Check that forward() is deterministic in evaluation mode.",
            )
