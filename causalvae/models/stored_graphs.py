"""Operator graphs of the shipped networks as JSON: tracing one takes two seconds, most of them for importing a tracer.

A stored graph is used for a network of the same structure and under the same version of torch alone, and is checked
against the network bit for bit, as every captured graph is. ``make generated`` writes the files.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Hashable, Iterable
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch

from causalvae.digest import digest
from causalvae.models.operators import Operation, OperatorGraph, Value

FOLDER = Path(__file__).parent / "traced"
# Only what these packages define means the same in every process.
_KNOWN = ("torch", "causalvae", "builtins", "collections")
_ROWS = (1, 2, 3, 64)
_GETITEM = "getitem"


def graph_key(structure: Hashable, outputs: tuple[str, ...]) -> str | None:
    """The name under which a graph is stored; None for a network with code that is neither torch's nor the package's.

    Parameters
    ----------
    structure : Hashable
        From `causalvae.models.structure.structure_of`.
    outputs : tuple of str
        Names of the network's outputs.
    """
    try:
        # Builds of one version for other hardware trace alike.
        return digest([torch.__version__.split("+")[0], list(outputs), _plain(structure)])
    except LookupError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        module = value.__module__ or ""
        if module.split(".")[0] not in _KNOWN:
            raise LookupError(module)
        return f"{module}.{value.__qualname__}"
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(json.dumps(_plain(item)) for item in value)
    return value if value is None or isinstance(value, (bool, int, str)) else repr(value)


def find_stored(key: str, folder: Path = FOLDER) -> OperatorGraph | None:
    """The stored graph without weights; None where there is none."""
    path = folder / f"{key}.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    operations = [_operation(item) for item in content["operations"]]
    return OperatorGraph(operations, tuple(content["inputs"]), content["outputs"], {}, content["origins"])


def stored_text(graph: OperatorGraph) -> str | None:
    """A graph without its weights as JSON; None where it holds constants or an operation that is not torch's own."""
    if graph.parameters.keys() - graph.origins.keys():
        return None
    try:
        operations = [json.dumps(_written(operation)) for operation in graph.operations]
    except LookupError:
        return None
    ends = json.dumps({"inputs": graph.inputs, "outputs": graph.outputs, "origins": graph.origins})
    # An operation a line.
    return f'{ends[:-1]}, "operations": [\n' + ",\n".join(operations) + "\n]}\n"


def _written(operation: Operation) -> dict[str, Any]:
    function, size = operation.function, operation.size
    return {
        "name": operation.name,
        "function": None if function is None else _function_name(function),
        "args": _write(operation.args),
        "kwargs": {key: _write(value) for key, value in operation.kwargs.items()},
        "inputs": operation.inputs,
        "batched": operation.batched,
        "aligned": operation.aligned,
        "rows": None if size is None else _line(size(1), size(2), [size(rows) for rows in _ROWS]),
        "calls": operation.calls,
        "shape": operation.shape,
        "flops": operation.flops,
    }


def _line(first: int, second: int, found: Iterable[int]) -> tuple[int, int]:
    """Slope and offset of a size that is a line in the number of rows."""
    slope, offset = second - first, 2 * first - second
    if list(found) != [slope * rows + offset for rows in _ROWS]:
        raise LookupError("a size that is no line in the number of rows")
    return slope, offset


def _operation(item: dict[str, Any]) -> Operation:
    size = None
    if item["rows"] is not None:
        slope, offset = item["rows"]

        def size(rows: int) -> int:
            return int(slope * rows + offset)

    return Operation(
        name=item["name"],
        function=None if item["function"] is None else _find_function(item["function"]),
        args=_read(item["args"]),
        kwargs={key: _read(value) for key, value in item["kwargs"].items()},
        inputs=tuple(item["inputs"]),
        batched=item["batched"],
        aligned=item["aligned"],
        size=size,
        calls=tuple((path, number, kind) for path, number, kind in item["calls"]),
        shape=tuple(item["shape"]),
        flops=item["flops"],
    )


def _function_name(function: Any) -> str:
    if function is operator.getitem:
        return _GETITEM
    if isinstance(function, torch._ops.OpOverload) and function.namespace == "aten":
        return str(function)
    raise LookupError(str(function))


def _find_function(name: str) -> Any:
    if name == _GETITEM:
        return operator.getitem
    _, packet, overload = name.split(".")
    return getattr(getattr(torch.ops.aten, packet), overload)


_CONSTANTS = {
    str(value): value
    for value in vars(torch).values()
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format))
}


def _write(value: Any) -> Any:
    """An argument as JSON; what JSON has no word for is a mapping of one entry."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Value):
        return {"node": value.name}
    if isinstance(value, tuple):
        return {"tuple": [_write(item) for item in value]}
    if isinstance(value, list):
        return [_write(item) for item in value]
    if str(value) in _CONSTANTS:
        return {"torch": str(value)}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    raise LookupError(repr(value))


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "node":
            return Value(content)
        case "tuple":
            return tuple(_read(item) for item in content)
        case "torch":
            return _CONSTANTS[content]
        case _:
            return torch.device(content)
