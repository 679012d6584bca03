"""Records forward passes of a network, to find the values that hooks can reach and the cost of a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from causalvae.models.functional import ACTIVATION_CALLS
from causalvae.models.hooked import Call
from causalvae.models.network import Mark

# Functions that read metadata of a tensor and not its values.
_QUESTIONS = frozenset(("__get__", "size", "dim", "ndimension", "numel", "stride", "is_contiguous", "__len__"))


@dataclass
class _Seen:
    """A module's call in one pass."""

    path: str
    number: int
    kind: str
    is_leaf: bool
    value: Any
    in_place: bool
    is_own: bool
    shape: tuple[int, ...] | None
    version: int
    outer: tuple[str, ...]
    readers: list[tuple[Callable[..., Any], tuple[str, ...], Any, bool]] = field(default_factory=list)

    def follower(self) -> tuple[tuple[int, ...], bool] | None:
        """Shape of the value after the functional activation that is the only reader, and whether it is in place.

        As in a captured graph, the activation must be applied by an enclosing call.
        """
        if not self.is_leaf or len(self.readers) != 1:
            return None
        function, inside, result, is_first = self.readers[0]
        if function not in ACTIVATION_CALLS or not is_first or not inside or self.outer[: len(inside)] != inside:
            return None
        return tuple(result.shape), result is self.value


class Probe:
    """Records the calls of all modules in one forward pass.

    Parameters
    ----------
    rows : int
        The batch size of the pass.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._seen: dict[tuple[str, int], _Seen] = {}
        self._counts: dict[str, int] = {}
        self._functions = 0
        self._stack: list[tuple[str, list[tuple[Tensor, int]], int]] = []
        self._parents: set[str] = set()
        self._owners: dict[int, _Seen] = {}

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Record a pass of `network` made inside the block; hooks are removed on every exit."""
        with ExitStack() as stack:
            for path, module in network.named_modules():
                if path:
                    before = module.register_forward_pre_hook(partial(self._enter, path), with_kwargs=True)
                    stack.callback(before.remove)
                    stack.callback(module.register_forward_hook(partial(self._leave, path)).remove)
            stack.enter_context(_Reads(self))
            yield

    def _enter(self, path: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._parents.update(outer for outer, _, _ in self._stack)
        given = [(leaf, leaf._version) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self._stack.append((path, given, self._functions))

    def _leave(self, path: str, module: nn.Module, args: Any, output: Any) -> None:
        given: list[tuple[Tensor, int]] = []
        functions = 0
        # Calls that raised an exception were entered and not left.
        while self._stack:
            entered, given, functions = self._stack.pop()
            if entered == path:
                break
        number = self._counts[path] = self._counts.get(path, 0) + 1
        versions = [version for value, version in given if value is output]
        in_place = bool(versions) and output._version != versions[0]
        # A module that returns its input and calls nothing is skipped, unless it is a mark.
        is_own = not versions or self._functions > functions or isinstance(module, Mark)
        shape = None
        if isinstance(output, Tensor) and output.ndim > 1 and len(output) == self._rows:
            shape = tuple(output.shape[1:])
        kind, is_leaf = type(module).__name__, path not in self._parents
        version = output._version if isinstance(output, Tensor) else 0
        seen = _Seen(path, number, kind, is_leaf, output, in_place, is_own, shape, version, self._outer())
        self._seen[path, number] = seen
        if is_leaf and is_own and not isinstance(module, Mark) and isinstance(output, Tensor):
            self._owners[id(output)] = seen

    def _outer(self) -> tuple[str, ...]:
        """Paths of the active calls."""
        return tuple(path for path, _, _ in self._stack)

    def read(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Record which outputs are arguments of a function."""
        self._functions += 1
        name = getattr(function, "__name__", "")
        if name in _QUESTIONS and not any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            return
        inside = self._outer()
        for leaf in tree_leaves((args, kwargs)):
            owner = self._owners.get(id(leaf)) if isinstance(leaf, Tensor) else None
            if owner is not None:
                is_first = bool(args) and args[0] is leaf
                owner.readers.append((function, inside, result, is_first))
                # A reader of an overwritten value does not read this output.
                if leaf._version != owner.version:
                    del self._owners[id(leaf)]

    def calls(self) -> dict[str, Call]:
        """The recorded calls by node, in the order of computation."""
        found: dict[str, Call] = {}
        for seen in self._seen.values():
            if seen.shape is None or not seen.is_own:
                continue
            node = f"{seen.path}#{seen.number}"
            is_leaf = seen.path not in self._parents
            found[node] = Call(
                node, seen.path, seen.number, seen.kind, seen.shape, is_leaf, in_place=seen.in_place, outer=seen.outer
            )
            following = seen.follower()
            if following is not None:
                shape, in_place = following
                after = node + "+activation"
                found[after] = Call(
                    after, seen.path, seen.number, seen.kind, shape[1:], True, True, in_place, seen.outer
                )
        return found


class _Reads(TorchFunctionMode):
    """Reports every torch function that a network calls to a probe."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self._probe = probe

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self._probe.read(func, args, kwargs or {}, result)
        return result


class CostMeter(TorchDispatchMode):
    """Counts the FLOPs of a pass and the bytes of activations written and read.

    Convolutions and matrix products count by torch's own formulas; all other operations except views count one FLOP per
    element.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0.0
        self.bytes = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            formula = flop_registry.get(func._overloadpacket)
            if formula is None:
                self.flops += sum(value.numel() for value in made)
            else:
                self.flops += formula(*args, **(kwargs or {}), out_val=result)
            self.bytes += 2 * sum(value.numel() * value.element_size() for value in made)
        return result


def measure_cost(run: Callable[[], object], rows: int) -> tuple[float, float]:
    """FLOPs and bytes per row of a pass over `rows` rows."""
    meter = CostMeter()
    with torch.no_grad(), meter:
        run()
    return meter.flops / rows, meter.bytes / rows
