"""The floor: what the live rows' downstream operations would take, each alone at the best speed that it ever reaches.

For every operation downstream of a swept site the least CPU time a row is measured over batch sizes, memory layouts and
the forms in `FORMS`; its inputs are then always warm in the cache, which in a whole network they are not. The floor of
a sweep is the sum over live rows of these times and of the outcome measure's. It has no copying of kept values, no
patching, no clean runs and no bookkeeping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.arm import measure_images
from benchmarks.sizes import FULL
from benchmarks.timing import best_of
from benchmarks.workload import SweptSite, Workload
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
    speeds : tuple of BestSpeed
    """

    seconds: float
    measuring: float
    full_seconds: float
    entry_free: float
    live: dict[str, int]
    speeds: tuple[BestSpeed, ...]


class SpeedBook:
    """Best speeds by operation and shapes over batches of `rows` rows, each measured once a process."""

    def __init__(self, rows: tuple[int, ...] = FULL.floor_rows) -> None:
        self._rows = rows
        self._known: dict[str, BestSpeed] = {}

    def speed(self, graph: OperatorGraph, operation: Operation, environment: Environment) -> BestSpeed:
        """The best speed of one operation of `graph` whose inputs' values are in `environment`."""
        key = _describe(graph, operation)
        if key not in self._known:
            found = []
            for rows in self._rows:
                for form, call in _calls(graph, operation, environment, rows):
                    if not _works(call):
                        continue
                    found.append(BestSpeed(key, best_of(call) / rows, operation.flops, rows, form))
            self._known[key] = min(found, key=lambda speed: speed.seconds)
        return self._known[key]

    def measuring(self, clean: Tensor, other: Tensor) -> BestSpeed:
        """The best speed of the outcome measure: pixel error and area, summed in float32."""
        key = f"outcomes of {tuple(clean.shape[1:])}"
        if key not in self._known:
            found = []
            for rows in self._rows:
                index = torch.arange(rows) % len(clean)
                call = partial(measure_images, other[index], clean[index])
                found.append(BestSpeed(key, best_of(call) / rows, 0.0, rows, "float32 sums"))
            self._known[key] = min(found, key=lambda speed: speed.seconds)
        return self._known[key]


@torch.inference_mode()
def measure_floor(workload: Workload, book: SpeedBook) -> Floor:
    """The floor of the full sweep of one workload."""
    graph = workload.model.graph
    if not isinstance(graph, OperatorGraph):
        raise TypeError(f"{workload.name} has no operator graph, and a floor is a sum over operations")
    noise = torch.zeros((workload.pairs, workload.model.vae.latent_dim))
    base = graph.run(workload.base, noise)
    other = graph.run(workload.counterfactual, noise)
    output = graph.outputs["output"]
    measuring = book.measuring(base[output], other[output])
    total = full = entry_free = 0.0
    live: dict[str, int] = {}
    used: dict[str, BestSpeed] = {measuring.operation: measuring}
    for site in workload.sites:
        node = workload.model.components.site(site.name).node
        live[site.name] = count_live(site, base[node], other[node])
        downstream = [operation for operation in graph.between([node], [output]) if operation.aligned]
        speeds = [book.speed(graph, operation, base) for operation in downstream]
        used.update({speed.operation: speed for speed in speeds})
        row = sum(speed.seconds for speed in speeds) + measuring.seconds
        total += live[site.name] * row
        full += site.units * workload.pairs * row
        first = next(position for position, operation in enumerate(downstream) if _is_layer(operation))
        entry_free += live[site.name] * (row - speeds[first].seconds)
    share = sum(live.values()) * measuring.seconds
    return Floor(total, share, full, entry_free, live, tuple(used.values()))


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
    return f"{name} {', '.join(shapes)}"


def _calls(
    graph: OperatorGraph, operation: Operation, environment: Environment, rows: int
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The operation on `rows` rows, in every layout and form that there is."""
    given: Environment = {}
    for name in operation.inputs:
        read = graph.by_name[name]
        value = environment[name]
        if read.size is not None:
            value = read.size(rows)
        elif read.aligned:
            value = value[torch.arange(rows) % len(value)]
        given[name] = value
    has_maps = any(isinstance(value, Tensor) and value.ndim == 4 for value in given.values())
    for layout, memory in LAYOUTS.items() if has_maps else [("rows", torch.contiguous_format)]:
        laid = {
            name: value.contiguous(memory_format=memory) if isinstance(value, Tensor) and value.ndim == 4 else value
            for name, value in given.items()
        }
        yield layout, partial(evaluate, operation, laid, rows)
        for form, make in FORMS.items():
            call = make(operation, laid)
            if call is not None:
                yield f"{layout}, {form}", call


def _works(call: Callable[[], Any]) -> bool:
    """Whether an operation can be run so: a view, for one, cannot join axes that lie apart in this layout."""
    try:
        call()
    except RuntimeError:
        return False
    return True


def _in_place(operation: Operation, given: Environment) -> Callable[[], Any] | None:
    """An activation function that overwrites its input."""
    twins: dict[Any, Callable[[Tensor], Tensor]] = {
        torch.ops.aten.relu.default: torch.relu_,
        torch.ops.aten.sigmoid.default: torch.sigmoid_,
    }
    twin = twins.get(operation.function)
    if twin is None:
        return None
    (name,) = operation.inputs
    value = given[name].clone()
    return lambda: twin(value)


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
    "sub-pixels": _sub_pixels,
}
