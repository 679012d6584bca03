"""Rewrites a captured graph to use faster kernels.

On a CPU, convolution weights are stored channels-last and transposed convolutions to few channels become matrix
products, as chosen by measurement (docs/decisions.md). Convolutions along one axis become those of images, and batch
normalisation one multiplication and addition. The result agrees with the captured graph up to rounding; clean runs and
re-runs both use it, so they agree with each other bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from operator import getitem
from typing import Any, overload

import torch
from torch import Tensor

from causalvae.engine.norms import ChannelAffine, GroupNorm
from causalvae.engine.products import LINEAR, Linear, has_kernel
from causalvae.models.layout import allow_any_layout
from causalvae.models.operators import Operation, OperatorGraph, Value
from causalvae.models.program import Program

CONV = torch.ops.aten.conv2d.default
CONV_TRANSPOSE = torch.ops.aten.conv_transpose2d.input
_CONV1D = torch.ops.aten.conv1d.default
_CONV_TRANSPOSE1D = torch.ops.aten.conv_transpose1d.default

_GROUP_NORM = torch.ops.aten.group_norm.default
_BATCH_NORM = torch.ops.aten._native_batch_norm_legit_no_training.default
# With fewer rows PyTorch computes convolutions with kernels of one position by another library, with other rounding.
FEW_ROWS = 16
_IMAGE_MAKERS = frozenset(
    (
        torch.ops.aten.view.default,
        torch.ops.aten._unsafe_view.default,
        torch.ops.aten.reshape.default,
        torch.ops.aten.unflatten.int,
    )
)
# With more output channels the strided kernel is faster.
_FEW_CHANNELS = 4


@dataclass(frozen=True)
class TransposedGeometry:
    """Stride, padding and kernel size of a transposed convolution, per image axis.

    Output position o receives input position i through tap t if o = i * stride - padding + t.
    """

    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int]
    kernel: tuple[int, int]

    @property
    def taps(self) -> tuple[int, int]:
        """Maximum number of input positions of one output position, per axis."""
        return -(-self.kernel[0] // self.stride[0]), -(-self.kernel[1] // self.stride[1])

    def size(self, axis: int, inputs: int) -> int:
        """Number of output positions along `axis` for `inputs` input positions."""
        spread = (inputs - 1) * self.stride[axis] + self.kernel[axis]
        return spread - 2 * self.padding[axis] + self.output_padding[axis]


@dataclass(frozen=True)
class OverlapAdd:
    """A transposed convolution as a matrix product followed by overlap-add.

    Each input position times the kernel is a patch of the output. All patches of an image are the product of the taps,
    (channels_out * taps, channels_in), with the positions; for few output channels this is faster than a convolution.
    The arguments of a call are input, taps and bias.
    """

    geometry: TransposedGeometry

    def __call__(self, x: Tensor, taps: Tensor, bias: Tensor | None) -> Tensor:
        """The output, (rows, channels, *size)."""
        sizes = self.geometry.size(0, x.shape[2]), self.geometry.size(1, x.shape[3])
        image = self.add_up(self.patches(x, taps), self.geometry.padding, sizes)
        return image if bias is None else image.add_(bias[:, None, None])

    def patches(self, x: Tensor, taps: Tensor) -> Tensor:
        """The patch of each position, (rows, channels_out, *kernel, height, width)."""
        rows, channels, height, width = x.shape
        positions = x.permute(0, 2, 3, 1).reshape(rows, height * width, channels)
        return self.unfold(torch.matmul(taps, positions.transpose(1, 2)), (height, width))

    def unfold(self, products: Tensor, sizes: tuple[int, int]) -> Tensor:
        """Reshape products, (rows, channels_out * taps, positions), to patches."""
        return products.view(len(products), -1, *self.geometry.kernel, *sizes)

    def add_up(self, patches: Tensor, cut: tuple[int, int], sizes: tuple[int, int]) -> Tensor:
        """Add up overlapping patches.

        Parameters
        ----------
        patches : Tensor, shape (rows, channels, *kernel, height, width)
        cut : tuple of int
            Number of output positions of the first patch before the start of the image, per axis.
        sizes : tuple of int
            Height and width of the image.
        """
        # Positions without patches, due to strides or output padding, remain zero.
        image = patches.new_zeros(len(patches), patches.shape[1], *sizes)
        for row, in_rows in self._phases(patches, 0, cut[0], sizes[0]):
            for column, inside in self._phases(in_rows, 1, cut[1], sizes[1]):
                image[:, :, row, column] = inside
        return image

    def _phases(self, patches: Tensor, axis: int, cut: int, size: int) -> Iterator[tuple[slice, Tensor]]:
        """For each output position modulo the stride: the slice of these positions, and the sum of patches there.

        The third axis of `patches` contains the taps along `axis` and is summed, the fifth the positions along it.
        """
        stride, kernel = self.geometry.stride[axis], self.geometry.kernel[axis]
        taps, places = patches.unbind(2), patches.shape[4]
        for phase in range(stride):
            first = max(0, -(-(cut - phase) // stride))
            last = (size - 1 + cut - phase) // stride
            parts: list[tuple[int, int, Tensor]] = []
            for back, tap in enumerate(range(phase, kernel, stride)):
                low, high = max(first, back), min(last, places - 1 + back)
                if low <= high:
                    parts.append((low, high, taps[tap].narrow(3, low - back, high - low + 1)))
            # A part that covers all positions need not be added to zeros.
            parts.sort(key=lambda part: part[1] - part[0], reverse=True)
            if not parts:
                continue
            low, high, part = parts[0]
            if (low, high) == (first, last):
                total = part.clone()
            else:
                total = part.new_zeros(*part.shape[:3], last - first + 1, *part.shape[4:])
                total.narrow(3, low - first, high - low + 1).add_(part)
            for low, high, part in parts[1:]:
                total.narrow(3, low - first, high - low + 1).add_(part)
            start = first * stride + phase - cut
            yield slice(start, start + (last - first) * stride + 1, stride), total


@dataclass(frozen=True)
class Convolution1d:
    """A convolution along one axis as one of images of height 1 that lie channels-last, which is twice as fast.

    The weight has the shape that it has for images. Results lie channels-last as well.

    Parameters
    ----------
    transposed : bool
    """

    transposed: bool

    def __call__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, output_padding: int,
        groups: int, dilation: int,
    ) -> Tensor:  # fmt: skip
        """The output, (rows, channels, size)."""
        image = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        steps, margins, spacing = (1, stride), (0, padding), (1, dilation)
        if self.transposed:
            found = torch.conv_transpose2d(image, weight, bias, steps, margins, (0, output_padding), groups, spacing)
        else:
            found = convolve(image, weight, bias, steps, margins, spacing, groups)
        return found.squeeze(2)


@dataclass(frozen=True)
class DefaultLayout:
    """Calls a function of an image with the default memory layout.

    PyTorch's group normalisation sums channels-last images in another order, with about fifteen times the error.
    """

    function: Callable[..., Any]

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        """The value of the function."""
        return self.function(x.contiguous(), *args, **kwargs)


def interleave(together: Tensor, geometry: TransposedGeometry) -> Tensor:
    """Rearrange phases, (rows, height, width, a * b * channels), to images, (rows, channels, a height, b width)."""
    rows, height, width, _ = together.shape
    a, b = geometry.stride
    split = together.reshape(rows, height, width, a, b, together.shape[3] // (a * b))
    merged = split.permute(0, 1, 3, 2, 4, 5).reshape(rows, height * a, width * b, split.shape[5])
    return merged.permute(0, 3, 1, 2)


def pack(weight: Tensor, geometry: TransposedGeometry) -> Tensor:
    """Convert the kernel of a transposed convolution to that of a convolution with all phases as channels.

    With o + padding = q * stride + a, phase a of position q receives tap a + stride * m of input q - m, for m below
    `TransposedGeometry.taps`.

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


def tap_matrix(weight: Tensor) -> Tensor:
    """Reshape a kernel, (channels_in, channels_out, *kernel), to (channels_out * taps, channels_in)."""
    return weight.flatten(1).T.contiguous()


def transposed_geometry(operation: Operation, kernel: tuple[int, int]) -> TransposedGeometry | None:
    """The geometry of a transposed convolution; None if it has groups or dilation, which are not rewritten."""
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
    """Two numbers, from one number or a list of one or two."""
    if isinstance(value, int):
        return value, value
    return (int(value[0]), int(value[-1]))


@overload
def lower(graph: OperatorGraph) -> OperatorGraph: ...


@overload
def lower(graph: Program) -> Program: ...


def lower(graph: Program) -> Program:
    """Rewrite a graph to use faster kernels.

    Parameters
    ----------
    graph : Program
        On the device where it will run.

    Returns
    -------
    Program
        The same nodes, some with other functions, and additional parameters for packed kernels. A network without an
        operator graph is returned unchanged.
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
        lowered = (
            _to_products(operation, parameters, added)
            or _to_affine(operation, graph, parameters, added)
            or _to_image(operation, parameters, added)
        )
        if operation.function in LINEAR:
            lowered = replace(operation, function=Linear())
        elif operation.function is _GROUP_NORM:
            lowered = replace(operation, function=GroupNorm(operation.call))
        elif operation.function is torch.ops.aten.native_group_norm.default:
            lowered = replace(operation, function=DefaultLayout(operation.call))
        operations.append(operation if lowered is None else lowered)
    read = {name for operation in operations for name in operation.inputs} | set(graph.outputs.values())
    operations = [
        operation for operation in operations if operation.function is not _BATCH_NORM or operation.name in read
    ]
    found = graph.rewritten([*added, *operations], parameters)
    images = _made_images(found)
    if images:
        found = found.rewritten(_lay_channels_last(found.operations, images), parameters)
    # Views need values that lie in the default way.
    laid = images or any(isinstance(operation.function, Convolution1d) for operation in operations)
    return allow_any_layout(found) if laid else found


def _made_images(graph: OperatorGraph) -> frozenset[str]:
    """Views of vectors as images on a CPU that convolutions read, directly or after operations that keep the layout."""
    found = set()
    for operation in graph.operations:
        made = operation.function in _IMAGE_MAKERS and operation.aligned and len(operation.shape) == 3
        if not made or 1 in (operation.shape[0], prod(operation.shape[1:])) or _is_image(graph, operation.inputs[0]):
            continue
        stack, seen = [operation.name], set()
        while stack:
            for name in graph.users[stack.pop()]:
                reader = graph.by_name[name]
                if is_convolution(reader) and _is_on_cpu(reader, graph.parameters):
                    found.add(operation.name)
                elif _is_image(graph, name) and name not in seen and reader.function not in _IMAGE_MAKERS:
                    seen.add(name)
                    stack.append(name)
    return frozenset(found)


def _is_image(graph: OperatorGraph, name: str) -> bool:
    value = graph.by_name[name]
    return value.aligned and len(value.shape) == 3


def is_convolution(operation: Operation) -> bool:
    """Whether an operation is a convolution of images, transposed or not."""
    return operation.function in (CONV, CONV_TRANSPOSE) or isinstance(operation.function, OverlapAdd)


def _is_on_cpu(operation: Operation, parameters: Mapping[str, Tensor]) -> bool:
    weight = parameters.get(operation.args[1].name) if isinstance(operation.args[1], Value) else None
    return weight is not None and weight.device.type == "cpu"


def _lay_channels_last(operations: Iterable[Operation], images: frozenset[str]) -> Iterator[Operation]:
    """The operations, of which those that read one of `images` as an image read a channels-last copy."""
    for operation in operations:
        if len(operation.shape) == 3 and not images.isdisjoint(operation.inputs):
            names = {name: f"{name}.last" if name in images else name for name in operation.inputs}
            operation = replace(
                operation,
                args=_renamed(operation.args, names),
                kwargs=dict(zip(operation.kwargs, _renamed(tuple(operation.kwargs.values()), names), strict=True)),
                inputs=tuple(names.values()),
            )
        yield operation
        if operation.name in images:
            yield replace(
                operation,
                name=f"{operation.name}.last",
                function=torch.ops.aten.contiguous.default,
                args=(Value(operation.name),),
                kwargs={"memory_format": torch.channels_last},
                inputs=(operation.name,),
                flops=0.0,
            )


def _renamed(items: Any, names: Mapping[str, str]) -> Any:
    """Arguments with references to other nodes."""
    if isinstance(items, Value):
        return Value(names[items.name])
    return type(items)(_renamed(item, names) for item in items) if isinstance(items, (list, tuple)) else items


def _to_image(operation: Operation, parameters: dict[str, Tensor], added: list[Operation]) -> Operation | None:
    """A convolution along one axis on a CPU as one of images."""
    transposed = operation.function is _CONV_TRANSPOSE1D
    if (operation.function is not _CONV1D and not transposed) or not isinstance(operation.args[1], Value):
        return None
    weight = parameters.get(operation.args[1].name)
    if weight is None or weight.device.type != "cpu":
        return None
    stride, padding = (
        pair(argument(operation, position, name, default))[0]
        for position, name, default in ((3, "stride", 1), (4, "padding", 0))
    )
    places = (("output_padding", 5, 0), ("groups", 6, 1), ("dilation", 7, 1))
    if not transposed:
        places = (("output_padding", 99, 0), ("groups", 6, 1), ("dilation", 5, 1))
    rest = [pair(argument(operation, position, name, default))[0] for name, position, default in places]
    name = f"{operation.name}.image"
    parameters[name] = weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    added.append(Operation(name, None, (), {}, (), False, False, None, (), (), 0.0))
    args = (operation.args[0], Value(name), argument(operation, 2, "bias", None), stride, padding, *rest)
    names = tuple(value.name for value in args if isinstance(value, Value))
    return replace(operation, function=Convolution1d(transposed), args=args, kwargs={}, inputs=names)


def _to_affine(
    operation: Operation, graph: OperatorGraph, parameters: dict[str, Tensor], added: list[Operation]
) -> Operation | None:
    """The first result of a batch normalisation in evaluation mode as factors and summands of its input."""
    if operation.function is not getitem or operation.args[1] != 0:
        return None
    norm = graph.by_name[operation.args[0].name]
    if norm.function is not _BATCH_NORM:
        return None
    x, *given = norm.args[:5]
    known = [parameters.get(value.name) if isinstance(value, Value) else None for value in given]
    weight, bias, mean, variance = known
    if (
        mean is None
        or variance is None
        or any(value is not None and tensor is None for value, tensor in zip(given, known, strict=True))
    ):
        return None
    scale = (variance + norm.args[6]).rsqrt()
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    names = f"{operation.name}.scale", f"{operation.name}.shift"
    for name, value in zip(names, (scale, shift), strict=True):
        parameters[name] = value
        added.append(Operation(name, None, (), {}, (), False, False, None, (), (), 0.0))
    return replace(
        operation,
        function=ChannelAffine(),
        args=(x, *(Value(name) for name in names)),
        inputs=(x.name, *names),
    )


def _to_products(operation: Operation, parameters: dict[str, Tensor], added: list[Operation]) -> Operation | None:
    if operation.function is not CONV_TRANSPOSE or not isinstance(operation.args[1], Value):
        return None
    weight = parameters.get(operation.args[1].name)
    bias = argument(operation, 2, "bias", None)
    if weight is None or weight.device.type != "cpu" or weight.shape[1] > _FEW_CHANNELS:
        return None
    geometry = transposed_geometry(operation, (weight.shape[2], weight.shape[3]))
    if geometry is None or geometry.stride == (1, 1) or geometry.output_padding != (0, 0):
        return None
    name = f"{operation.name}.taps"
    parameters[name] = tap_matrix(weight)
    added.append(Operation(name, None, (), {}, (), False, False, None, (), (), 0.0))
    args = (operation.args[0], Value(name), bias)
    names = tuple(value.name for value in args if isinstance(value, Value))
    return replace(operation, function=OverlapAdd(geometry), args=args, kwargs={}, inputs=names)


def is_pointwise(operation: Operation, parameters: Mapping[str, Tensor]) -> bool:
    """Whether an operation is a convolution on a CPU with a kernel of one position."""
    if operation.function is not CONV or not isinstance(operation.args[1], Value):
        return False
    weight = parameters.get(operation.args[1].name)
    return weight is not None and weight.device.type == "cpu" and weight.shape[2:] == (1, 1)


def convolve_pointwise(operation: Operation, environment: Mapping[str, Any]) -> Tensor:
    """The value of a convolution with a kernel of one position, by the kernel that many rows have."""
    given = [argument(operation, position, name, None) for position, name in enumerate(("input", "weight", "bias"))]
    x, weight, bias = (environment[item.name] if isinstance(item, Value) else item for item in given)
    stride, padding, dilation = (
        pair(argument(operation, position, name, default))
        for position, name, default in ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1))
    )
    groups = argument(operation, 6, "groups", 1)
    return convolve(x, weight, bias, stride, padding, dilation, groups)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """A convolution on a CPU, by the same kernel for any number of rows if oneDNN has one.

    Weights are channels-last.
    """
    if not has_kernel(x.dtype):
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)
    # One row alone is computed by other kernels.
    rows = len(x)
    found: Tensor = torch.ops.aten.mkldnn_convolution(
        x if rows > 1 else x.expand(2, *x.shape[1:]), weight, bias, padding, stride, dilation, groups
    )
    return found[:rows]
