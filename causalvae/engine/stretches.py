"""Divides the operations of a re-run into stretches that are computed for all rows or for a few rows at a time.

Where values are large, a batch of them does not fit into the cache, and from 32 MiB on the allocator asks the system
for new memory at each operation. A few rows at a time then take a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch

from causalvae.engine.lowering import OverlapAdd
from causalvae.engine.products import LINEAR
from causalvae.engine.values import MIN_ROWS
from causalvae.models.operators import Operation, OperatorGraph

_ATEN = torch.ops.aten
# Bytes of the largest value of a few rows, at best and at most. Below 16 rows some kernels round differently, so the
# second is used up before there are fewer.
_WANTED, _MOST = 4 * 2**20, 16 * 2**20
_SAME_KERNELS = 16
# Values with fewer bytes a row are computed for all rows.
_LARGE = _WANTED // (2 * MIN_ROWS)
# A stretch ends after so many operations on small values.
_SMALL_OPERATIONS = 8
# Numbers that elementwise kernels compute at once, at most.
_LANES = 64
# Products whose rounding depends on the number of rows.
_PRODUCTS = LINEAR | {_ATEN.addmm.default, _ATEN.mm.default, _ATEN.matmul.default}


@dataclass(frozen=True)
class Stretch:
    """Operations that are computed together.

    Parameters
    ----------
    operations : tuple of Operation
    rows : int
        Number of rows at a time; 0 for all.
    kept : tuple of str
        Values that are read after the stretch.
    """

    operations: tuple[Operation, ...]
    rows: int
    kept: tuple[str, ...]


def stretches(graph: OperatorGraph, operations: Sequence[Operation], ends: frozenset[str]) -> tuple[Stretch, ...]:
    """Divide `operations`, of whose values `ends` are needed in the end."""
    last = {name: position for position, operation in enumerate(operations) for name in operation.inputs}
    last |= dict.fromkeys(ends, len(operations))
    made = {operation.name: position for position, operation in enumerate(operations)}
    found = []
    for first, stop, large in _ranges(graph, operations, made, last):
        part = tuple(operations[first:stop])
        rows = _rows(graph, part) if large else 0
        kept = tuple(operation.name for operation in part if last.get(operation.name, -1) >= stop)
        found.append(Stretch(part, rows, kept))
    return tuple(found)


def _ranges(
    graph: OperatorGraph, operations: Sequence[Operation], made: dict[str, int], last: dict[str, int]
) -> Iterator[tuple[int, int, bool]]:
    """First and last position of each stretch, and whether its values are large."""
    large = [_width(graph, operation) > _LARGE and not _is_product(operation) for operation in operations]
    first, inside = 0, False
    for position, operation in enumerate(operations):
        following = large[position : position + _SMALL_OPERATIONS]
        ends_here = _is_product(operation) or (len(following) == _SMALL_OPERATIONS and not any(following))
        if inside == (large[position] or (inside and not ends_here)):
            continue
        # Values without an axis of rows cannot be divided.
        whole = [
            name for name, start in made.items() if start < position <= last.get(name, -1) and _is_whole(graph, name)
        ]
        if whole:
            # A product in such a place makes all of the stretch be computed for all rows.
            inside = inside and not _is_product(operation)
            continue
        if position > first:
            yield first, position, inside
        first, inside = position, not inside
    if operations:
        yield first, len(operations), inside


def _is_whole(graph: OperatorGraph, name: str) -> bool:
    value = graph.by_name[name]
    return value.batched and not value.aligned and value.size is None


def _is_product(operation: Operation) -> bool:
    return operation.function in _PRODUCTS and len(operation.shape) < 2


def _width(graph: OperatorGraph, operation: Operation) -> float:
    """Bytes a row of the largest value that an operation reads or writes, in float32."""
    shapes = [operation.shape, *(graph.by_name[name].shape for name in operation.inputs)]
    sizes = [prod(shape) for shape in shapes]
    if isinstance(operation.function, OverlapAdd):
        # The patches that it adds up.
        sizes.append(operation.shape[0] * prod(operation.function.geometry.kernel) * prod(shapes[1][1:]))
    return 4.0 * max(sizes)


def _rows(graph: OperatorGraph, operations: Sequence[Operation]) -> int:
    """Number of rows at a time; 0 if the values allow no division."""
    width = max(_width(graph, operation) for operation in operations)
    rows = 2
    while 2 * rows * width <= _WANTED or (2 * rows <= _SAME_KERNELS and 2 * rows * width <= _MOST):
        rows *= 2
    sizes = [prod(operation.shape) for operation in operations]
    while rows < MIN_ROWS and any(rows * size % _LANES for size in sizes):
        rows *= 2
    return rows
