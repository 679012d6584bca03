"""The floor: what the live rows' downstream operations would take, each alone at the best speed that it ever reaches.

For every operation the least CPU time a row is measured over batch sizes, memory layouts and the forms in `FORMS`; its
inputs are then always warm in the cache, which in a whole network they are not. All images of a network have the same
layout, the one with the lower floor: converting an image to the other layout takes longer than any operation gains by
it. The floor of a sweep is the sum over live rows of these times and of the outcome measure's. One clean run of each
pair is given in addition: the base's, and the counterfactual's up to the swept sites. There is no copying of kept
values, no patching and no bookkeeping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from operator import getitem
from typing import Any

import torch
from torch import Tensor

from benchmarks.arm import measure_images
from benchmarks.sizes import FULL
from benchmarks.timing import best_of
from benchmarks.workload import SweptSite, Workload
from causalvae.engine.lowering import lower
from causalvae.engine.products import linear
from causalvae.models.operators import Environment, Operation, OperatorGraph, Value, evaluate
from causalvae.models.subpixel import SubpixelConvTranspose2d

LAYOUTS = {"default": torch.contiguous_format, "channels-last": torch.channels_last}


@dataclass(frozen=True)
class BestSpeed:
    """The fastest that an operation was seen to run.

    Parameters
    ----------
    operation : str
        Kind and shapes.
    seconds : float
        CPU seconds a row.
    flops : float
        A row.
    rows : int
        Batch size of the fastest.
    form : str
        Layout, and how it was written.
    """

    operation: str
    seconds: float
    flops: float
    rows: int
    form: str

    @property
    def gigaflops(self) -> float:
        """Throughput, GFLOP/s."""
        return self.flops / self.seconds / 1e9


@dataclass(frozen=True)
class Floor:
    """One workload's floor.

    Parameters
    ----------
    seconds : float
        CPU seconds, with the outcome measure.
    measuring : float
        The outcome measure's part of it.
    full_seconds : float
        The same without omitting dead rows.
    entry_free : float
        The same (live rows) if the first layer after each site cost nothing, as it nearly does where a patched channel
        enters it as a difference of that channel alone.
    live : dict
        Site -> live rows.
    sites : dict
        Site -> CPU seconds, with the outcome measure.
    speeds : tuple of BestSpeed
    clean : float
        CPU seconds of clean runs, in addition.
    layout : str
        Of all images.
    """

    seconds: float
    measuring: float
    full_seconds: float
    entry_free: float
    live: dict[str, int]
    sites: dict[str, float]
    speeds: tuple[BestSpeed, ...]
    clean: float = 0.0
    layout: str = ""

    @property
    def total(self) -> float:
        """CPU seconds with clean runs."""
        return self.seconds + self.clean


# How many times as many bytes all values may have as one.
_HELD = 16


def is_apart(graph: OperatorGraph, operation: Operation) -> bool:
    """Whether an operation reads a value without an axis of rows, which only a run of so many rows gives."""
    read = [graph.by_name[name] for name in operation.inputs]
    return any(value.batched and not value.aligned and value.size is None for value in read)


class CleanValues:
    """The values of all nodes of a graph, in batches of any size.

    Parameters
    ----------
    graph : OperatorGraph
    x, noise : Tensor
        The network's arguments.
    """

    def __init__(self, graph: OperatorGraph, x: Tensor, noise: Tensor) -> None:
        self._graph, self._x, self._noise = graph, x, noise
        self.all: Environment = graph.run(x, noise)
        self._sized: tuple[int, Environment] = (len(x), self.all)

    def inputs(self, operation: Operation, rows: int) -> Environment:
        """What an operation reads, for `rows` rows: the given ones in turn."""
        read = [self._graph.by_name[name] for name in operation.inputs]
        apart = is_apart(self._graph, operation)
        source = self._at(rows) if apart else self.all
        given: Environment = {}
        for value in read:
            given[value.name] = source[value.name]
            if value.size is not None:
                given[value.name] = value.size(rows)
            elif value.aligned and not apart:
                given[value.name] = self.all[value.name][torch.arange(rows) % len(self._x)]
        return given

    def _at(self, rows: int) -> Environment:
        if self._sized[0] != rows:
            index = torch.arange(rows) % len(self._x)
            self._sized = rows, self._graph.run(self._x[index], self._noise[index])
        return self._sized[1]


class SpeedBook:
    """Best speeds by operation and shapes over batches of `rows` rows, each measured once a process.

    Parameters
    ----------
    rows : tuple of int
        Increasing.
    most : float
        Largest number of bytes of a value in a batch; the smallest batch is measured whatever it holds.
    series : float
        Least CPU seconds of a series of calls.
    """

    def __init__(
        self, rows: tuple[int, ...] = FULL.floor_rows, most: float = float("inf"), series: float = 0.02
    ) -> None:
        self._rows, self._most, self._series = rows, most, series
        self._known: dict[str, dict[str, BestSpeed]] = {}

    def _sizes(self, graph: OperatorGraph, operation: Operation) -> list[int]:
        shapes = [operation.shape, *(graph.by_name[name].shape for name in operation.inputs)]
        widest = 4.0 * max(prod(shape) for shape in shapes)
        if is_apart(graph, operation):
            # All values of so many rows are computed and held.
            widest = sum(4.0 * prod(each.shape) for each in graph.operations) / _HELD
        return [rows for rows in self._rows if rows == self._rows[0] or rows * widest <= self._most]

    def speed(self, graph: OperatorGraph, operation: Operation, values: CleanValues, layout: str) -> BestSpeed:
        """The best speed of one operation of `graph` with images in `layout`, or in another if it has no such form."""
        key = _describe(graph, operation)
        if key not in self._known:
            found: dict[str, BestSpeed] = {}
            for rows in self._sizes(graph, operation):
                for given, form, call in _calls(graph, operation, values, rows):
                    if not _works(call):
                        continue
                    speed = BestSpeed(key, best_of(call, self._series) / rows, operation.flops, rows, form)
                    found[given] = min(found.get(given, speed), speed, key=lambda each: each.seconds)
            self._known[key] = found
        known = self._known[key]
        return known.get(layout) or min(known.values(), key=lambda speed: speed.seconds)

    def measuring(self, clean: Tensor, other: Tensor) -> BestSpeed:
        """The best speed of the outcome measure: pixel error and area, summed in float32."""
        key = f"outcomes of {tuple(clean.shape[1:])}"
        if key not in self._known:
            found = []
            for rows in self._rows:
                if rows > self._rows[0] and 4.0 * rows * clean[0].numel() > self._most:
                    continue
                index = torch.arange(rows) % len(clean)
                call = partial(measure_images, other[index], clean[index])
                found.append(BestSpeed(key, best_of(call) / rows, 0.0, rows, "float32 sums"))
            self._known[key] = {"rows": min(found, key=lambda speed: speed.seconds)}
        return self._known[key]["rows"]


@torch.inference_mode()
def measure_floor(workload: Workload, book: SpeedBook) -> Floor:
    """The floor of the full sweep of one workload."""
    graph = workload.model.graph
    if not isinstance(graph, OperatorGraph):
        raise TypeError(f"{workload.name} has no operator graph, and a floor is a sum over operations")
    found = [_floor_in(workload, graph, book, layout) for layout in LAYOUTS]
    return min(found, key=lambda floor: floor.total)


def _floor_in(workload: Workload, graph: OperatorGraph, book: SpeedBook, layout: str) -> Floor:
    """The floor with all images in one layout."""
    noise = torch.zeros((workload.pairs, *workload.model.vae.latent_shape))
    values, output = CleanValues(graph, workload.base, noise), graph.outputs["output"]
    nodes = [workload.model.components.site(site.name).node for site in workload.sites]
    base, other = values.all, graph.run(workload.counterfactual, noise, keep=[*nodes, output])
    measuring = book.measuring(base[output], other[output])
    used: dict[str, BestSpeed] = {measuring.operation: measuring}

    def speeds_of(operations: Iterable[Operation]) -> list[tuple[Operation, BestSpeed]]:
        found = [(each, book.speed(graph, each, values, layout)) for each in operations if _counts(each)]
        used.update({speed.operation: speed for _, speed in found})
        return found

    needed = graph.ancestors(nodes)
    whole = speeds_of(graph.between(graph.inputs, [output]))
    clean = sum(speed.seconds * (2 if operation.name in needed else 1) for operation, speed in whole) * workload.pairs
    total = full = entry_free = 0.0
    live: dict[str, int] = {}
    sites: dict[str, float] = {}
    for site, node in zip(workload.sites, nodes, strict=True):
        live[site.name] = count_live(site, base[node], other[node])
        speeds = speeds_of(graph.between([node], [output]))
        row = sum(speed.seconds for _, speed in speeds) + measuring.seconds
        sites[site.name] = live[site.name] * row
        total += sites[site.name]
        full += site.units * workload.pairs * row
        first = next((speed.seconds for operation, speed in speeds if _is_layer(operation)), 0.0)
        entry_free += live[site.name] * (row - first)
    share = sum(live.values()) * measuring.seconds
    return Floor(total, share, full, entry_free, live, sites, tuple(used.values()), clean, layout)


def _counts(operation: Operation) -> bool:
    """Whether an operation takes time for each row; choosing one of several results does not."""
    if operation.function is getitem:
        return False
    return operation.aligned or (operation.batched and bool(operation.flops or "batch_norm" in str(operation.function)))


def count_live(site: SweptSite, base: Tensor, other: Tensor) -> int:
    """How many (unit, pair) rows change the site's value at all."""
    changed = (base != other).flatten(2).any(2) if base.ndim > 2 else base != other
    return int(changed[:, : site.units].sum())


def _is_layer(operation: Operation) -> bool:
    return any(kind in str(operation.function) for kind in ("conv", "linear", "addmm"))


def _describe(graph: OperatorGraph, operation: Operation) -> str:
    name = str(operation.function)
    if name.startswith("aten."):
        name = name.removeprefix("aten.").split(".")[0]
    else:
        name = getattr(operation.function, "__name__", name)
    shapes = []
    for argument in operation.inputs:
        if argument in graph.parameters:
            shapes.append("x".join(map(str, graph.parameters[argument].shape)))
        elif graph.by_name[argument].aligned:
            shapes.append("x".join(map(str, graph.by_name[argument].shape)))
    # The time of an exponential linear unit depends on the values: vectors without negative numbers take less.
    own = f" ({operation.name})" if name == "elu" else ""
    if "conv" in name and any(operation.args[3:]):
        # Stride, padding, dilation.
        own = f" {operation.args[3:]}"
    return f"{name} {', '.join(shapes)}{own}"


def _calls(
    graph: OperatorGraph, operation: Operation, values: CleanValues, rows: int
) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """The operation on `rows` rows, in every layout and form that there is: layout, description, call."""
    given = values.inputs(operation, rows)
    has_maps = any(isinstance(value, Tensor) and value.ndim == 4 for value in given.values())
    for layout, memory in LAYOUTS.items() if has_maps else [("rows", torch.contiguous_format)]:
        laid = {
            name: value.contiguous(memory_format=memory) if isinstance(value, Tensor) and value.ndim == 4 else value
            for name, value in given.items()
        }
        yield layout, layout, partial(evaluate, operation, laid, rows)
        for form, make in FORMS.items():
            call = make(operation, laid)
            if call is not None:
                yield layout, f"{layout}, {form}", call
    image = _as_image(graph, operation, given)
    if image is not None:
        yield "rows", "as an image, channels-last", image


def _works(call: Callable[[], Any]) -> bool:
    """Whether an operation can be run so: a view, for one, cannot join axes that lie apart in this layout."""
    try:
        call()
    except RuntimeError:
        return False
    return True


def _in_place(operation: Operation, given: Environment) -> Callable[[], Any] | None:
    """An activation function that overwrites its input.

    Only those whose time does not depend on the values, which change from call to call.
    """
    twins: dict[Any, Callable[..., Tensor]] = {
        torch.ops.aten.relu.default: torch.relu_,
        torch.ops.aten.sigmoid.default: torch.sigmoid_,
        torch.ops.aten.leaky_relu.default: torch.ops.aten.leaky_relu_.default,
    }
    twin = twins.get(operation.function)
    if twin is None:
        return None
    (name,) = operation.inputs
    value = given[name].clone()
    return lambda: twin(value, *operation.args[1:], **operation.kwargs)


def _by_onednn(operation: Operation, given: Environment) -> Callable[[], Any] | None:
    """A matrix product by oneDNN."""
    if operation.function is not torch.ops.aten.linear.default:
        return None
    values = [given[item.name] for item in operation.args if isinstance(item, Value)]
    return lambda: linear(*values)


def _as_image(graph: OperatorGraph, operation: Operation, given: Environment) -> Callable[[], Any] | None:
    """A convolution along one axis as one of channels-last images of height 1."""
    if "conv1d" not in str(operation.function) and "conv_transpose1d" not in str(operation.function):
        return None
    lowered = lower(graph)
    if not isinstance(lowered, OperatorGraph):
        return None
    image = lowered.by_name[operation.name]
    (x,) = (given[name] for name in operation.inputs if name not in graph.parameters)
    values = {**lowered.parameters, image.inputs[0]: x.transpose(1, 2).contiguous().transpose(1, 2)}
    return partial(evaluate, image, values, len(x))


def _sub_pixels(operation: Operation, given: Environment) -> Callable[[], Any] | None:
    """A stride-2 transposed convolution to one channel as a convolution to four sub-pixels and a shuffle."""
    if "conv_transpose" not in str(operation.function):
        return None
    values = [given[item.name] for item in operation.args[:3] if isinstance(item, Value)]
    if len(values) != 3:
        return None
    x, weight, bias = values
    if (
        weight.shape[2:] != (4, 4)
        or weight.shape[1] > 4
        or [list(item) for item in operation.args[3:5]]
        != [
            [2, 2],
            [1, 1],
        ]
    ):
        return None
    layer = SubpixelConvTranspose2d(weight.shape[0], weight.shape[1], 4, stride=2, padding=1)
    layer.weight = torch.nn.Parameter(weight.clone(), requires_grad=False)
    layer.bias = torch.nn.Parameter(bias.clone(), requires_grad=False)
    if x.is_contiguous(memory_format=torch.channels_last):
        layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return lambda: layer(x)


FORMS: dict[str, Callable[[Operation, Environment], Callable[[], Any] | None]] = {
    "in place": _in_place,
    "oneDNN": _by_onednn,
    "sub-pixels": _sub_pixels,
}
