"""Rewrites a captured graph into one that computes the same values with faster kernels.

What is rewritten was chosen by measurement (docs/decisions.md): convolution weights laid out channels-last on a CPU,
and transposed convolutions to few channels as convolutions to sub-pixels. The rewritten graph agrees with the captured
one within float rounding; clean runs and re-runs both go through it, so they agree with each other bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from causalvae.models.operators import Operation, OperatorGraph, Value
from causalvae.models.program import Program

CONV = torch.ops.aten.conv2d.default
CONV_TRANSPOSE = torch.ops.aten.conv_transpose2d.input

# Above this many output channels the strided kernel is the faster one.
_FEW_CHANNELS = 4


@dataclass(frozen=True)
class TransposedGeometry:
    """Stride, padding and the like of a transposed convolution, one number an image axis.

    Output position o gathers input position i through tap t where o = i * stride - padding + t.
    """

    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int]
    kernel: tuple[int, int]

    @property
    def taps(self) -> tuple[int, int]:
        """Input positions that one output position gathers, an axis."""
        return -(-self.kernel[0] // self.stride[0]), -(-self.kernel[1] // self.stride[1])

    def size(self, axis: int, inputs: int) -> int:
        """Output positions along `axis` for `inputs` input positions."""
        spread = (inputs - 1) * self.stride[axis] + self.kernel[axis]
        return spread - 2 * self.padding[axis] + self.output_padding[axis]


@dataclass(frozen=True)
class SubpixelConvolution:
    """A transposed convolution as a convolution to ``stride`` times ``stride`` phases of each output channel.

    With o + padding = q * stride + a, phase a of position q gathers tap a + stride * m of input q - m, for m below
    `TransposedGeometry.taps`: a plain convolution of that size. Its arguments are input, packed kernel and bias, as
    `pack` and `spread_bias` give them.
    """

    geometry: TransposedGeometry

    def __call__(self, x: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
        """Output of shape (rows, channels, *size)."""
        together = self.phases(x, packed, bias)
        geometry = self.geometry
        sizes = geometry.size(0, x.shape[2]), geometry.size(1, x.shape[3])
        channels = packed.shape[0] // (geometry.stride[0] * geometry.stride[1])
        image = together.new_empty(len(x), *sizes, channels)
        for target, source in phase_slices(geometry, geometry.padding, sizes, together.shape[1:3]):
            image[target] = split_phases(together, geometry)[source]
        return image.permute(0, 3, 1, 2)

    def phases(self, x: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
        """The phases of all positions that any input reaches: (rows, height, width, a * b * channels)."""
        rows, columns = self.geometry.taps
        return F.conv2d(x, packed, bias, padding=(rows - 1, columns - 1)).permute(0, 2, 3, 1)


Index = tuple[slice | int, ...]


def phase_slices(
    geometry: TransposedGeometry, cut: tuple[int, int], sizes: tuple[int, int], reached: tuple[int, int] | torch.Size
) -> Iterator[tuple[Index, Index]]:
    """Where each phase lies in an image: indices of (rows, height, width, ...) and of `split_phases`.

    Parameters
    ----------
    geometry : TransposedGeometry
    cut : tuple of int
        Positions of the first phase position that lie before the image's first.
    sizes : tuple of int
        Of the image.
    reached : tuple of int
        Phase positions.
    """
    spans: list[list[tuple[slice, slice]]] = []
    for axis in (0, 1):
        stride = geometry.stride[axis]
        found = []
        for phase in range(stride):
            first = max(0, -(-(cut[axis] - phase) // stride))
            last = min(reached[axis], (sizes[axis] - 1 + cut[axis] - phase) // stride + 1)
            start = first * stride + phase - cut[axis]
            found.append((slice(start, start + (last - first) * stride, stride), slice(first, last)))
        spans.append(found)
    everything = slice(None)
    for a, (rows, row_places) in enumerate(spans[0]):
        for b, (columns, column_places) in enumerate(spans[1]):
            yield (everything, rows, columns), (everything, row_places, column_places, a, b)


def split_phases(together: Tensor, geometry: TransposedGeometry) -> Tensor:
    """Phases on axes of their own: (rows, height, width, a, b, channels)."""
    a, b = geometry.stride
    return together.reshape(*together.shape[:3], a, b, together.shape[3] // (a * b))


def interleave(together: Tensor, geometry: TransposedGeometry) -> Tensor:
    """Phases side by side, (rows, height, width, a * b * channels), as an image (rows, channels, a height, b width)."""
    rows, height, width, _ = together.shape
    a, b = geometry.stride
    split = split_phases(together, geometry)
    merged = split.permute(0, 1, 3, 2, 4, 5).reshape(rows, height * a, width * b, split.shape[5])
    return merged.permute(0, 3, 1, 2)


def pack(weight: Tensor, geometry: TransposedGeometry) -> Tensor:
    """The kernel of the phases.

    Parameters
    ----------
    weight : Tensor, shape (channels_in, channels_out, *kernel)

    Returns
    -------
    Tensor, shape (a * b * channels_out, channels_in, *taps)
    """
    channels_in, channels_out = weight.shape[:2]
    (a, b), (rows, columns) = geometry.stride, geometry.taps
    packed = weight.new_zeros(a, b, channels_out, channels_in, rows, columns)
    for i in range(geometry.kernel[0]):
        for j in range(geometry.kernel[1]):
            tap = weight[:, :, i, j].T
            # A convolution slides its kernel forwards while taps reach backwards.
            packed[i % a, j % b, :, :, rows - 1 - i // a, columns - 1 - j // b] = tap
    return packed.flatten(0, 2).contiguous(memory_format=torch.channels_last)


def spread_bias(bias: Tensor, geometry: TransposedGeometry) -> Tensor:
    """The bias of the phases: each channel's, once a phase."""
    return bias.repeat(geometry.stride[0] * geometry.stride[1])


def transposed_geometry(operation: Operation, kernel: tuple[int, int]) -> TransposedGeometry | None:
    """The geometry of a transposed convolution node; None where it has groups or dilation, which are left alone."""
    stride, padding, output_padding, groups, dilation = (
        argument(operation, position, name, default)
        for position, name, default in (
            (3, "stride", [1, 1]),
            (4, "padding", [0, 0]),
            (5, "output_padding", [0, 0]),
            (6, "groups", 1),
            (7, "dilation", [1, 1]),
        )
    )
    if groups != 1 or pair(dilation) != (1, 1):
        return None
    return TransposedGeometry(pair(stride), pair(padding), pair(output_padding), kernel)


def argument(operation: Operation, position: int, name: str, default: Any) -> Any:
    """An argument of an operation, given by position or by name."""
    if len(operation.args) > position:
        return operation.args[position]
    return operation.kwargs.get(name, default)


def pair(value: Any) -> tuple[int, int]:
    """One number an image axis, from one number for both or a list of one or two."""
    if isinstance(value, int):
        return value, value
    return (int(value[0]), int(value[-1]))


@overload
def lower(graph: OperatorGraph) -> OperatorGraph: ...


@overload
def lower(graph: Program) -> Program: ...


def lower(graph: Program) -> Program:
    """The same function with faster kernels.

    Parameters
    ----------
    graph : Program
        On the device that it will run on.

    Returns
    -------
    Program
        Same nodes under the same names; some with other functions, and with packed kernels as further parameters. A
        network without an operator graph is what it was.
    """
    if not isinstance(graph, OperatorGraph):
        return graph
    parameters = dict(graph.parameters)
    kernels = {
        operation.args[1].name
        for operation in graph.operations
        if operation.function in (CONV, CONV_TRANSPOSE) and isinstance(operation.args[1], Value)
    }
    for name in kernels & parameters.keys():
        if parameters[name].device.type == "cpu":
            parameters[name] = parameters[name].contiguous(memory_format=torch.channels_last)
    added: list[Operation] = []
    operations: list[Operation] = []
    for operation in graph.operations:
        lowered = _to_subpixels(operation, parameters, added)
        operations.append(operation if lowered is None else lowered)
    return graph.rewritten([*added, *operations], parameters)


def _to_subpixels(operation: Operation, parameters: dict[str, Tensor], added: list[Operation]) -> Operation | None:
    if operation.function is not CONV_TRANSPOSE or not isinstance(operation.args[1], Value):
        return None
    weight = parameters.get(operation.args[1].name)
    bias = argument(operation, 2, "bias", None)
    if weight is None or weight.device.type != "cpu" or weight.shape[1] > _FEW_CHANNELS:
        return None
    geometry = transposed_geometry(operation, (weight.shape[2], weight.shape[3]))
    if geometry is None or geometry.stride == (1, 1) or geometry.output_padding != (0, 0):
        return None
    named: list[Value | None] = []
    for suffix, value in (
        ("kernel", pack(weight, geometry)),
        ("bias", None if bias is None else spread_bias(parameters[bias.name], geometry)),
    ):
        if value is None:
            named.append(None)
            continue
        name = f"{operation.name}.subpixel_{suffix}"
        parameters[name] = value
        added.append(Operation(name, None, (), {}, (), False, False, None, (), (), 0.0))
        named.append(Value(name))
    names = tuple(value.name for value in (operation.args[0], *named) if isinstance(value, Value))
    return replace(
        operation,
        function=SubpixelConvolution(geometry),
        args=(operation.args[0], *named),
        kwargs={},
        inputs=names,
    )
