"""Rules that propagate a change through an operation: the affected part, and the new value there.

Linear operations are applied to the difference from the clean value, and the result is added to the clean result, so
that the cost is proportional to the number of changed channels and positions, and a patch that changes nothing gives
the clean value bit for bit. Elementwise operations are applied to the value itself. After an operation without a rule,
everything is computed in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from causalvae.engine.changes import (
    Box,
    Change,
    Few,
    Whole,
    Window,
    covering,
    crop,
    gather,
    gather_units,
    gather_window,
    make_box,
)
from causalvae.engine.lowering import (
    CONV,
    CONV_TRANSPOSE,
    OverlapAdd,
    TransposedGeometry,
    argument,
    convolve,
    interleave,
    pack,
    pair,
    transposed_geometry,
)
from causalvae.engine.norms import ChannelAffine
from causalvae.engine.products import LINEAR
from causalvae.models.operators import ACTIVATIONS, Operation, Value

_ATEN = torch.ops.aten

# Maximum number of changed units per row; with more, computing all units is as cheap.
FEW_UNITS = 4
# Maximum share of a window; with more, computing the whole value is as cheap.
LARGE_WINDOW = 0.7

VIEWS = frozenset((_ATEN.view.default, _ATEN._unsafe_view.default, _ATEN.reshape.default, _ATEN.unflatten.int))
_COPIES = frozenset((_ATEN.clone.default, _ATEN.contiguous.default, _ATEN.alias.default, _ATEN.dropout.default))
_SCALED = frozenset(
    getattr(_ATEN, name).Tensor for name in ("add", "sub", "mul", "div") if hasattr(_ATEN, name)
)  # fmt: skip
_UNARY = frozenset(
    getattr(_ATEN, name).default
    for name in ("exp", "log", "log1p", "neg", "abs", "sqrt", "square", "sin", "cos", "rsqrt", "reciprocal", "clamp")
)
_POINTWISE = ACTIVATIONS | _UNARY | _COPIES
# With patches of so many numbers in a row a convolution is faster than matrix products. Both round differently, so what
# decides must not depend on the other rows.
_LARGE_PATCHES = 10_000
# A multiple of all SIMD widths.
_LANES = 64
# Elementwise functions whose result does not depend on the position of the element in memory.
_EXACT = frozenset(
    getattr(_ATEN, name).default for name in ("relu", "leaky_relu", "hardtanh", "relu6", "neg", "abs", "clamp")
)
_UPSAMPLE = frozenset((_ATEN.upsample_nearest2d.vec, _ATEN.upsample_nearest2d.default))


@dataclass(frozen=True)
class Scene:
    """The input of a rule: changed and clean values of a batch.

    Parameters
    ----------
    changes : mapping
        Node -> its change, for changed nodes.
    clean : callable
        Maps a node to its clean value for all rows of the shard.
    pairs : Tensor, int, shape (rows,)
        Index of the pair of each row in the shard.
    parameters : mapping
        Node -> tensor.
    prepared : dict
        Cache of converted parameters.
    """

    changes: Mapping[str, Change]
    clean: Callable[[str], Tensor]
    pairs: Tensor
    parameters: Mapping[str, Tensor]
    prepared: dict[str, Tensor]

    def prepare(self, argument: Any, make: Callable[[Tensor], Tensor]) -> Tensor:
        """A converted parameter, cached."""
        if argument.name not in self.prepared:
            self.prepared[argument.name] = make(self.parameters[argument.name])
        return self.prepared[argument.name]

    def own(self, name: str, change: Few | Box) -> Tensor:
        """The clean value of node `name` at the positions of `change`."""
        if isinstance(change, Few):
            return gather_units(self.clean(name), change, self.pairs)
        return gather_window(self.clean(name), change.window, self.pairs)

    def parameter(self, argument: Any) -> Tensor | None:
        """The parameter that an argument refers to, or None."""
        return self.parameters.get(argument.name) if isinstance(argument, Value) else None


Rule = Callable[[Operation, Scene], Change | None]


def apply_rule(operation: Operation, scene: Scene) -> Change | None:
    """The change of the value of an operation; None if it must be computed in full."""
    rule = rule_of(operation)
    return None if rule is None else rule(operation, scene)


def rule_of(operation: Operation) -> Rule | None:
    """The rule of an operation, or None."""
    function = operation.function
    if isinstance(function, OverlapAdd):
        return _overlapping
    if isinstance(function, ChannelAffine):
        return _affine
    if function in _POINTWISE:
        return _pointwise
    return _RULES.get(function)


def _source(operation: Operation, scene: Scene) -> tuple[str, Few | Box] | None:
    """Name and change of the first argument of an operation; None if it is unchanged or changed as a whole."""
    name = operation.args[0].name
    change = scene.changes.get(name)
    if change is None or isinstance(change, Whole):
        return None
    return name, change


def _pointwise(operation: Operation, scene: Scene) -> Change | None:
    found = _source(operation, scene)
    if found is None or any(isinstance(item, Value) for item in operation.args[1:]):
        return None
    name, change = found
    kwargs = {key: item for key, item in operation.kwargs.items() if key != "memory_format"}
    if operation.function in _COPIES:
        return change
    function: Callable[..., Tensor] = partial(operation.call, **kwargs)
    if operation.function in _EXACT:
        return _with_value(change, function(change.value, *operation.args[1:]))
    # SIMD code and the scalar remainder of a loop may round transcendental functions differently. Here all elements use
    # SIMD code, and unchanged elements take the clean result.
    value = change.value
    flat = F.pad(value.flatten(), (0, -value.numel() % _LANES))
    new = function(flat, *operation.args[1:])[: value.numel()].view(value.shape)
    return _with_value(change, torch.where(value == scene.own(name, change), scene.own(operation.name, change), new))


def _with_value(change: Few | Box, value: Tensor) -> Few | Box:
    """The change with another value."""
    return Few(change.units, change.window, value) if isinstance(change, Few) else Box(change.window, value)


def _scaled(operation: Operation, scene: Scene) -> Change | None:
    """Sums, differences, products and quotients with a number or an image of the same shape."""
    left, right = operation.args[:2]
    kwargs = operation.kwargs
    if any(isinstance(item, Value) for item in kwargs.values()):
        return None
    if not isinstance(left, Value):
        return None
    if not isinstance(right, Value):
        found = _source(operation, scene)
        if found is None:
            return None
        change = found[1]
        return _with_value(change, operation.call(change.value, right, **kwargs))
    if {left.name, right.name} & scene.parameters.keys():
        return None
    if any(isinstance(scene.changes.get(side.name), Whole) for side in (left, right)):
        return None
    shapes = [scene.clean(side.name).shape[1:] for side in (left, right)]
    changes = [scene.changes[side.name] for side in (left, right) if side.name in scene.changes]
    windows = [change.window for change in changes if isinstance(change, (Few, Box))]
    if shapes[0] != shapes[1] or len(shapes[0]) != 3 or not all(windows):
        return None
    window = covering(windows)
    values = []
    for side in (left, right):
        change_ = scene.changes.get(side.name)
        clean = scene.clean(side.name)
        values.append(
            gather_window(clean, window, scene.pairs) if change_ is None else crop(change_, window, clean, scene.pairs)
        )
    return Box(window, operation.call(*values, **kwargs))


def _linear(operation: Operation, scene: Scene) -> Change | None:
    found = _source(operation, scene)
    weight = scene.parameter(operation.args[1])
    if found is None or weight is None:
        return None
    name, change = found
    if not isinstance(change, Few) or change.window or scene.clean(name).ndim != 2:
        return None
    moved = change.value - scene.own(name, change)
    columns = scene.prepare(operation.args[1], lambda matrix: matrix.T.contiguous())[change.units]
    added = moved * columns[:, 0] if moved.shape[1] == 1 else torch.einsum("rk,rko->ro", moved, columns)
    return Whole(gather(scene.clean(operation.name), scene.pairs).add_(added))


def _view(operation: Operation, scene: Scene) -> Change | None:
    found = _source(operation, scene)
    if found is None or not operation.aligned:
        return None
    name, change = found
    before, after = scene.clean(name).shape[1:], operation.shape
    if tuple(before) == tuple(after):
        return change
    if not isinstance(change, Few):
        return None
    if len(before) == 1 and len(after) == 3 and change.units.shape[1] == 1:
        positions = change.units[:, 0] % (after[1] * after[2])
        place = int(positions[0])
        # All rows of a batch have the same window.
        if not bool((positions == place).all()):
            return None
        row, column = divmod(place, after[2])
        units = change.units // (after[1] * after[2])
        return Few(units, ((row, row + 1), (column, column + 1)), change.value[:, :, None, None])
    if len(before) == 3 and len(after) == 1:
        (top, bottom), (left, right) = change.window
        if change.value[0].numel() > FEW_UNITS:
            return None
        rows = torch.arange(top, bottom, device=change.units.device)[:, None]
        columns = torch.arange(left, right, device=change.units.device)
        places = (rows * before[2] + columns).flatten()
        flat = (change.units[:, :, None] * (before[1] * before[2]) + places).flatten(1)
        return Few(flat, (), change.value.flatten(1))
    return None


def _convolution(operation: Operation, scene: Scene) -> Change | None:
    found = _source(operation, scene)
    weight = scene.parameter(operation.args[1])
    if found is None or weight is None or len(operation.shape) != 3:
        return None
    name, change = found
    stride, padding, dilation, groups = (
        argument(operation, position, name_, default)
        for position, name_, default in (
            (3, "stride", 1),
            (4, "padding", 0),
            (5, "dilation", 1),
            (6, "groups", 1),
        )
    )
    if isinstance(padding, str):
        return None
    steps, margins, spacing = pair(stride), pair(padding), pair(dilation)
    window: list[tuple[int, int]] = []
    frame: list[int] = []
    for axis, (start, stop) in enumerate(change.window):
        reach = (weight.shape[2 + axis] - 1) * spacing[axis]
        first = max(0, -(-(start + margins[axis] - reach) // steps[axis]))
        last = min(operation.shape[1 + axis], (stop - 1 + margins[axis]) // steps[axis] + 1)
        if first >= last:
            return None
        # The difference is padded with zeros to the extent of the outermost kernels.
        before = start - (first * steps[axis] - margins[axis])
        after = (last - 1) * steps[axis] - margins[axis] + reach + 1 - stop
        frame = [before, after, *frame]
        window.append((first, last))
    out = tuple(window)
    if isinstance(change, Few) and groups != 1:
        change = make_box(change, scene.clean(name), scene.pairs)
    moved = F.pad(change.value - scene.own(name, change), frame)
    if isinstance(change, Few):
        kernel = scene.prepare(operation.args[1], _by_channel)
        added = _single_channels(moved, kernel, change.units, steps, spacing, out)
    else:
        added = F.conv2d(moved, weight, None, steps, 0, spacing, groups)
    return _add(operation, scene, out, added)


def _single_channels(
    moved: Tensor, weight: Tensor, units: Tensor, stride: tuple[int, int], dilation: tuple[int, int], out: Window
) -> Tensor:
    """A convolution of differences in a few channels, different for each row: (rows, channels_out, *out sizes).

    The weight has shape (channels_in, *kernel, channels_out). There is one convolution for the rows of equal units if
    the windows are large, else one matrix product per row; the value of a row does not depend on the other rows.
    """
    rows, few = units.shape
    kernel, channels = weight.shape[1:3], weight.shape[3]
    sizes = [stop - start for start, stop in out]
    if moved.device.type == "cpu" and prod(sizes) * few * prod(kernel) >= _LARGE_PATCHES:
        parts, first = [], 0
        for chosen, members in groupby(units.tolist()):
            count = len(list(members))
            part = weight[chosen].permute(3, 0, 1, 2).contiguous(memory_format=torch.channels_last)
            parts.append(convolve(moved[first : first + count], part, None, stride, (0, 0), dilation, 1))
            first += count
        return torch.cat(parts)
    reach = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilation, strict=True)]
    gathered = moved.unfold(2, reach[0], stride[0]).unfold(3, reach[1], stride[1])
    gathered = gathered[..., :: dilation[0], :: dilation[1]]
    patches = gathered.permute(0, 2, 3, 1, 4, 5).reshape(rows, -1, few * prod(kernel))
    columns = weight.index_select(0, units.flatten()).reshape(rows, few * prod(kernel), channels)
    return torch.bmm(patches, columns).reshape(rows, *sizes, channels).permute(0, 3, 1, 2)


def _by_channel(weight: Tensor) -> Tensor:
    """A kernel as (channels_in, *kernel, channels_out)."""
    return weight.permute(1, 2, 3, 0).contiguous()


def _spread(moved: Tensor, weight: Tensor, change: Few, geometry: TransposedGeometry) -> Tensor:
    """The phases of a transposed convolution of differences in a few channels; `weight` from `_by_channel`."""
    rows, columns = geometry.taps
    reached = tuple(
        (0, stop - start + taps - 1) for (start, stop), taps in zip(change.window, geometry.taps, strict=True)
    )
    framed = F.pad(moved, (columns - 1, columns - 1, rows - 1, rows - 1))
    together = _single_channels(framed, weight, change.units, (1, 1), (1, 1), reached)
    return together.permute(0, 2, 3, 1)


def _transposed(operation: Operation, scene: Scene) -> Change | None:
    found = _source(operation, scene)
    weight = scene.parameter(operation.args[1])
    if found is None or weight is None or len(operation.shape) != 3:
        return None
    geometry = transposed_geometry(operation, (weight.shape[2], weight.shape[3]))
    if geometry is None:
        return None
    name, change = found
    moved = change.value - scene.own(name, change)
    if isinstance(change, Few):
        kernel = scene.prepare(operation.args[1], lambda given: _by_channel(pack(given, geometry)))
        added = interleave(_spread(moved, kernel, change, geometry), geometry)
    else:
        added = F.conv_transpose2d(moved, weight, None, geometry.stride)
    return _add_from(operation, scene, change.window, geometry.stride, geometry.padding, added)


def _overlapping(operation: Operation, scene: Scene) -> Change | None:
    found = _source(operation, scene)
    taps = scene.parameter(operation.args[1])
    if found is None or taps is None:
        return None
    name, change = found
    function = operation.function
    if not isinstance(function, OverlapAdd):
        raise TypeError(operation.name)
    moved = change.value - scene.own(name, change)
    if isinstance(change, Few):
        # One product per row, as in `_single_channels`.
        columns = scene.prepare(operation.args[1], lambda matrix: matrix.T.contiguous())[change.units]
        products = torch.bmm(columns.transpose(1, 2), moved.flatten(2))
        patches = function.unfold(products, pair(moved.shape[2:]))
    else:
        patches = function.patches(moved, taps)
    geometry = function.geometry
    window, firsts = [], []
    for axis, (start, stop) in enumerate(change.window):
        first = start * geometry.stride[axis] - geometry.padding[axis]
        reach = first + (stop - start - 1) * geometry.stride[axis] + geometry.kernel[axis]
        low = max(0, first)
        window.append((low, min(operation.shape[1 + axis], reach)))
        firsts.append(low - first)
    added = function.add_up(patches, pair(firsts), pair([stop - start for start, stop in window]))
    return _add(operation, scene, tuple(window), added)


def _add_from(
    operation: Operation,
    scene: Scene,
    window: Window,
    stride: tuple[int, int],
    padding: tuple[int, int],
    added: Tensor,
) -> Change:
    """Add a difference that starts at the first position of `window`, cropped to the image."""
    out: list[tuple[int, int]] = []
    inner: list[tuple[int, int]] = []
    for axis, (start, _) in enumerate(window):
        first = start * stride[axis] - padding[axis]
        low, high = max(0, first), min(operation.shape[1 + axis], first + added.shape[2 + axis])
        out.append((low, high))
        inner.append((low - first, high - first))
    index = (slice(None), slice(None), *(slice(low, high) for low, high in inner))
    return _add(operation, scene, tuple(out), added[index])


def _add(operation: Operation, scene: Scene, window: Window, added: Tensor) -> Change:
    clean = scene.clean(operation.name)
    value = gather_window(clean, window, scene.pairs).add_(added)
    return Box(window, value)


def _affine(operation: Operation, scene: Scene) -> Change | None:
    """A factor and a summand for each channel."""
    found = _source(operation, scene)
    scale = scene.parameter(operation.args[1])
    if found is None or scale is None:
        return None
    name, change = found
    factors = scale[change.units] if isinstance(change, Few) else scale[None]
    moved = change.value - scene.own(name, change)
    moved = moved.mul_(factors.reshape(*factors.shape, *[1] * (moved.ndim - 2)))
    return _with_value(change, moved.add_(scene.own(operation.name, change)))


def _upsample(operation: Operation, scene: Scene) -> Change | None:
    found = _source(operation, scene)
    if found is None:
        return None
    name, change = found
    before, after = scene.clean(name).shape[2:], operation.shape[1:]
    if len(after) != 2 or any(large % small for large, small in zip(after, before, strict=True)):
        return None
    factors = [large // small for large, small in zip(after, before, strict=True)]
    value = change.value.repeat_interleave(factors[0], 2).repeat_interleave(factors[1], 3)
    window = tuple(
        (start * factor, stop * factor) for (start, stop), factor in zip(change.window, factors, strict=True)
    )
    return Few(change.units, window, value) if isinstance(change, Few) else Box(window, value)


_RULES: dict[Any, Rule] = {
    **dict.fromkeys(LINEAR, _linear),
    CONV: _convolution,
    CONV_TRANSPOSE: _transposed,
    **dict.fromkeys(VIEWS, _view),
    **dict.fromkeys(_SCALED, _scaled),
    **dict.fromkeys(_UPSAMPLE, _upsample),
}
