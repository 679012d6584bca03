"""A network without an operator graph: forward hooks read and replace the outputs of its modules.

Every intervention takes a full forward pass. A pass registers hooks on the modules that it needs and removes them on
every exit, including exceptions. Hooks that others registered stay in place and see unchanged values.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from causalvae.errors import CausalVAEError
from causalvae.models.functional import ACTIVATION_CALLS
from causalvae.models.operators import tensors_of
from causalvae.models.program import How
from causalvae.models.quiet import unchecked_distributions

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Call:
    """One call of a module, or of the activation function after it, whose value has one row per input.

    Parameters
    ----------
    node : str
        ``path#k``, with k from 1; ``path#k+activation`` for the value after the activation function.
    path : str
        Dotted path of the module in the network.
    number : int
        Number of the module's call within a pass, from 1.
    kind : str
        Class of the module.
    shape : tuple of int
        Without the batch axis.
    is_leaf : bool
        Whether it calls no other module.
    is_activation : bool
        Whether its value is that of a functional activation that is the only reader of the module's output.
    in_place : bool
        Whether the module overwrites its input with its output.
    outer : tuple of str
        Paths of the enclosing calls, outermost first.
    """

    node: str
    path: str
    number: int
    kind: str
    shape: tuple[int, ...]
    is_leaf: bool
    is_activation: bool = False
    in_place: bool = False
    outer: tuple[str, ...] = ()


class HookedNetwork:
    """A network whose nodes are the calls of its modules; implements `Program`.

    It can be run by several threads. Hooks on shared modules would fire in all threads, and modules may store values of
    a pass, so each thread runs a copy of the modules over the same tensors. If other code has registered hooks on the
    modules, or the network cannot be copied faithfully, all threads run the network itself, one pass at a time.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; returns a tuple of tensors.
    inputs, outputs : mapping of str to tuple of int
        Names of the arguments and of the returned values, in order -> shape without the batch axis.
    calls : tuple of Call
        In the order of computation.
    unused : frozenset of str
        Inputs that do not influence the outputs.
    copyable : bool
        Whether a deep copy computes the same function and calls its own modules.
    flops, bytes : float
        Of a full pass, per row.
    weights : mapping of str to Tensor, optional
        Parameters and buffers that replace the network's own in every pass.
    lock : Lock, optional
        Lock of another `HookedNetwork` that runs the same modules.
    """

    how: How = "hooks"

    def __init__(
        self,
        network: nn.Module,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, tuple[int, ...]],
        calls: tuple[Call, ...],
        unused: frozenset[str] = frozenset(),
        copyable: bool = True,
        flops: float = 0.0,
        bytes: float = 0.0,
        weights: Mapping[str, Tensor] | None = None,
        lock: threading.Lock | None = None,
    ) -> None:
        self.network = network
        self.inputs = tuple(inputs)
        self.outputs: dict[str, str] = {name: f"returned.{name}" for name in outputs}
        self.calls = calls
        self.unused = unused
        self.flops = flops
        self.bytes = bytes
        self._copyable = copyable
        self._by_node = {call.node: call for call in calls}
        self._shapes = {
            **inputs,
            **{self.outputs[name]: shape for name, shape in outputs.items()},
            **{call.node: call.shape for call in calls},
        }
        self._weights = weights
        self._lock = lock or threading.Lock()
        self._own = threading.local()

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a node's value without the batch axis."""
        return self._shapes[name]

    def aligned(self, name: str) -> bool:
        """Always True: every node has one row per input."""
        return True

    def batched(self, name: str) -> bool:
        """Always True: parameters are not nodes."""
        return True

    def run(self, *values: Tensor, keep: Iterable[str] | None = None, to_end: bool = True) -> dict[str, Any]:
        """Run a full forward pass, also without `to_end`.

        Parameters
        ----------
        *values : Tensor
            The network's arguments; all have the same batch size.
        keep : iterable of str, optional
            Nodes whose values are returned in addition to the outputs'; all nodes if omitted.

        Raises
        ------
        CausalVAEError
            CV112 if the pass does not compute a node of `keep`.
        """
        everything = {*self._by_node, *self.inputs}
        wanted = everything if keep is None else set(keep) & everything
        return self._pass(values, {}, wanted, must=frozenset() if keep is None else frozenset(wanted))

    def rerun(
        self, edits: Mapping[str, Edit], *values: Tensor, nodes: Mapping[str, str] | None = None
    ) -> dict[str, Tensor]:
        """Run a full forward pass in which the values of some nodes are replaced, and return the outputs by name.

        Parameters
        ----------
        edits : mapping of str to callable
            Node -> function from its value (a copy that may be modified) to the new value. Edits of upstream nodes are
            visible downstream.
        *values : Tensor
            The network's arguments.
        nodes : mapping of str to str, optional
            Name -> node, for values to return instead of the outputs.

        Raises
        ------
        CausalVAEError
            CV112 if the pass does not compute an edited or requested node.
        """
        wanted = self.outputs if nodes is None else dict(nodes)
        keep = set(wanted.values()) - set(self.outputs.values())
        found = self._pass(values, edits, keep, must=frozenset(edits) | keep)
        return {name: found[node] for name, node in wanted.items()}

    def _pass(
        self, values: tuple[Tensor, ...], edits: Mapping[str, Edit], keep: set[str], must: frozenset[str]
    ) -> dict[str, Tensor]:
        # The network may modify its inputs in place; the caller's tensors are used again.
        given = dict(zip(self.inputs, (value.clone() for value in values), strict=True))
        for name in edits.keys() & given.keys():
            given[name] = edits[name](given[name])
        calls = [self._by_node[name] for name in {*edits, *keep} - given.keys()]
        record = _Pass(calls, edits, keep, len(values[0]))
        found: dict[str, Tensor] = {name: given[name].clone() for name in keep & given.keys()}
        with self._leased() as network, unchecked_distributions(), record.attached_to(network):
            if self._weights is None:
                returned = network(*given.values())
            else:
                returned = functional_call(network, dict(self._weights), tuple(given.values()), tie_weights=False)
        missing = must - record.met - given.keys()
        if missing:
            raise unmet(sorted(missing)[0])
        return {**found, **record.values, **dict(zip(self.outputs.values(), returned, strict=True))}

    @contextmanager
    def _leased(self) -> Iterator[nn.Module]:
        """The modules on which this thread may register hooks."""
        with self._lock:
            own = self._copy_of_this_thread() if self._copyable and not has_hooks(self.network) else None
            if own is None:
                yield self.network
                return
        yield own

    def _copy_of_this_thread(self) -> nn.Module:
        if not hasattr(self._own, "network"):
            self._own.network = copy_modules(self.network)
        own: nn.Module = self._own.network
        return own

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> HookedNetwork:
        """The same network on `device`, its parameters of floating point in `dtype` where it is given.

        If the network cannot be copied, the network itself is moved.
        """
        tensors = tensors_of(self.network).values()
        stays = all(tensor.device.type == device.type for tensor in tensors)
        if stays and all(dtype in (None, tensor.dtype) for tensor in tensors if tensor.is_floating_point()):
            return self
        network = copy.deepcopy(self.network) if self._copyable else self.network
        weights = self._weights
        if weights is not None:
            weights = {
                name: value.to(device, dtype if value.is_floating_point() else None) for name, value in weights.items()
            }
        return self._over(network.to(device, dtype), weights)

    def with_weights_of(self, network: nn.Module) -> HookedNetwork:
        """The same calls with the weights of another network of the same architecture.

        If a copy would call modules of the original, as closures do, the network itself runs over the other tensors.
        """
        if self._copyable:
            return self._over(network)
        return self._over(self.network, tensors_of(network))

    def _over(self, network: nn.Module, weights: Mapping[str, Tensor] | None = None) -> HookedNetwork:
        inputs = {name: self._shapes[name] for name in self.inputs}
        outputs = {name: self._shapes[node] for name, node in self.outputs.items()}
        costs = self.flops, self.bytes
        lock = self._lock if network is self.network else None
        return HookedNetwork(network, inputs, outputs, self.calls, self.unused, self._copyable, *costs, weights, lock)


def copy_modules(network: nn.Module) -> nn.Module:
    """A copy of the modules over the same parameters and buffers."""
    return copy.deepcopy(network, {id(tensor): tensor for tensor in tensors_of(network).values()})


def has_hooks(network: nn.Module) -> bool:
    """Whether any module has forward hooks."""
    return any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def unmet(node: str) -> CausalVAEError:
    """The error for a node that a forward pass did not compute."""
    path, _, number = node.partition("#")
    call = number.split("+")[0]
    which = "" if call == "1" else f" (call {call})"
    return CausalVAEError(
        "CV112",
        f"for some inputs the network does not call {path}{which}: the calls depend on the data.",
        "Intervene on a component that every input passes through.",
        path,
    )


def copy_laid_out(value: Tensor) -> Tensor:
    """A copy with the same memory layout, since kernels may round differently for another layout."""
    if 0 in value.stride():
        return value.clone()
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=value.device).copy_(value)


class _Pass:
    """The values that one forward pass reads and replaces.

    Parameters
    ----------
    calls : iterable of Call
        The nodes to read or edit.
    edits : mapping
    keep : set of str
    rows : int
        The batch size.
    """

    def __init__(self, calls: Iterable[Call], edits: Mapping[str, Edit], keep: set[str], rows: int) -> None:
        self.values: dict[str, Tensor] = {}
        self.met: set[str] = set()
        self._edits = edits
        self._keep = keep
        self._rows = rows
        self._outputs: dict[tuple[str, int], Call] = {}
        self._activations: dict[tuple[str, int], Call] = {}
        for call in calls:
            kind = self._activations if call.is_activation else self._outputs
            kind[call.path, call.number] = call
        self._counts: dict[str, int] = {}
        # Outputs whose activation function has not been called yet; referenced, so that their ids stay unique.
        self._before: dict[int, tuple[Tensor, Call]] = {}

    @contextmanager
    def attached_to(self, network: nn.Module) -> Iterator[None]:
        """Register the hooks on `network` within the block."""
        with ExitStack() as stack:
            for path in dict.fromkeys(path for path, _ in (*self._outputs, *self._activations)):
                # This hook runs last, so it sees the value after the hooks of others.
                handle = network.get_submodule(path).register_forward_hook(partial(self._after_module, path))
                stack.callback(handle.remove)
            if self._activations:
                stack.enter_context(_Functions(self))
            yield

    def _after_module(self, path: str, module: nn.Module, given: Any, output: Any) -> Tensor | None:
        number = self._counts[path] = self._counts.get(path, 0) + 1
        call = self._outputs.get((path, number))
        value = output if call is None else self._meet(call, output)
        following = self._activations.get((path, number))
        if following is not None:
            self._before[id(value)] = (value, following)
        return None if value is output else value

    def activate(self, function: Callable[..., Any], given: Tensor, *args: Any, **kwargs: Any) -> Any:
        """The value that replaces the result of an activation function of `given`; see `awaits`."""
        _, call = self._before.pop(id(given))
        if not call.in_place or not torch.is_grad_enabled():
            return self._meet(call, function(given, *args, **kwargs))
        # Gradients are computed from the result, which must not be overwritten.
        return given.copy_(self._meet(replace(call, in_place=False), function(given.clone(), *args, **kwargs)))

    def awaits(self, given: object) -> bool:
        """Whether the activation function of `given` is a node of this pass."""
        return id(given) in self._before

    def _meet(self, call: Call, value: Any) -> Any:
        if not isinstance(value, Tensor) or tuple(value.shape) != (self._rows, *call.shape):
            raise unmet(call.node)
        self.met.add(call.node)
        edit = self._edits.get(call.node)
        if edit is not None:
            changed = edit(copy_laid_out(value))
            if call.in_place and not changed.requires_grad:
                # The caller of an in-place module may use the argument instead of the returned value.
                changed = value.copy_(changed)
            elif call.in_place:
                # Gradients flow through the returned value; the argument is overwritten without a version change.
                value.data.copy_(changed.detach())
            value = changed
        if call.node in self._keep:
            self.values[call.node] = value.clone()
        return value


class _Functions(TorchFunctionMode):
    """Intercepts the activation functions applied to outputs that a pass awaits."""

    def __init__(self, record: _Pass) -> None:
        super().__init__()
        self._record = record

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in ACTIVATION_CALLS and args and self._record.awaits(args[0]):
            return self._record.activate(func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))
