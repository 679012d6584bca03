"""Records how a network's own forward() connects its parts, so that a spec need not declare it.

The record shows which returned value the decoder receives, which layers lie between encoder and decoder, and what the
second parameter of the posterior is. Noise is set to 0 and to 1: the decoder receives mean + noise * sd, so the first
pass shows the mean and the second one the standard deviation.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from causalvae.boundary import refuse_lack_of_memory
from causalvae.models.network_part import Link, methods_of, target_of
from causalvae.models.operators import tensors_of
from causalvae.models.returned import Leaf, Steps, leaves_of


@dataclass(frozen=True)
class Event:
    """One call of a method or a module in a pass.

    Parameters
    ----------
    path : str
    given : tuple of Tensor
        The tensors that it was given.
    returned : object
    inside : frozenset of str
        Paths of the enclosing calls.
    """

    path: str
    given: tuple[Tensor, ...]
    returned: Any
    inside: frozenset[str]


@dataclass(frozen=True)
class Watched:
    """One pass of forward().

    Parameters
    ----------
    encoded : object
        Return value of the first call of the encoding part.
    latent : Tensor
        First argument of the first call of the decoding part after that.
    between : tuple of Event
        Calls outside both parts and before the decoding part, in order.
    """

    encoded: Any
    latent: Tensor
    between: tuple[Event, ...]


class ConstantNoise(TorchDispatchMode):
    """Replaces draws from a normal distribution by its mean plus `value` standard deviations.

    Parameters
    ----------
    value : float
    """

    def __init__(self, value: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._value = value

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        result = func(*args, **given)
        name = func._overloadpacket.__name__
        if name in ("randn", "randn_like"):
            return torch.full_like(result, self._value)
        if name in ("normal", "normal_", "normal_functional") and isinstance(result, Tensor):
            # tensor.normal_(mean, std) has the tensor as its first argument, normal(mean, std) has not.
            first = 0 if name == "normal" else 1
            mean = args[first] if len(args) > first else given.get("mean", 0.0)
            std = args[first + 1] if len(args) > first + 1 else given.get("std", 1.0)
            drawn = torch.zeros_like(result) + mean + self._value * std
            return result.copy_(drawn) if name == "normal_" else drawn
        return result


@torch.no_grad()
def watch_forward(
    network: nn.Module, encode: str, decode: str, arguments: Sequence[Tensor], noise: float, training: bool
) -> Watched | None:
    """One pass of `network` with constant noise; None if forward() fails on it or does not call both parts.

    Parameters
    ----------
    network : nn.Module
        A copy is run if the network can be copied. Its parameters and buffers are restored in any case.
    encode, decode : str
        Paths of the parts.
    arguments : sequence of Tensor
        Of forward().
    noise : float
        Value of every draw from a standard normal distribution.
    training : bool
        Whether to run it in training mode; many networks draw a sample only in training mode.
    """
    try:
        watched = copy.deepcopy(network)
    except Exception as error:  # whatever a foreign __deepcopy__ raises, the network itself is watched
        refuse_lack_of_memory(error)
        watched = network
    events: list[Event] = []
    state = {name: tensor.clone() for name, tensor in tensors_of(network).items()}
    mode = watched.training
    try:
        with torch.random.fork_rng(devices=[]), _recording(watched, events), ConstantNoise(noise):
            torch.manual_seed(0)
            watched.train(training)
            watched(*(value.clone() for value in arguments))
    except Exception as error:  # forward() may want anything: labels, a loss, a device
        refuse_lack_of_memory(error)
        return None
    finally:
        watched.train(mode)
        for name, tensor in tensors_of(network).items():
            if not torch.equal(tensor, state[name]):
                tensor.copy_(state[name])
    return _told(events, encode, decode)


def _told(events: Sequence[Event], encode: str, decode: str) -> Watched | None:
    start = next((place for place, event in enumerate(events) if event.path == encode), None)
    if start is None or not events[start].given:
        return None
    # A call is recorded when it returns, so the calls inside it come first.
    end = next((place for place in range(start + 1, len(events)) if events[place].path == decode), None)
    if end is None or not events[end].given:
        return None
    between = tuple(
        event
        for event in events[start + 1 : end]
        if not event.inside & {encode, decode} and event.path not in (encode, decode)
    )
    return Watched(events[start].returned, events[end].given[0], between)


@contextmanager
def _recording(network: nn.Module, events: list[Event]) -> Iterator[None]:
    """Record every call of a module or of a method that the user defined, in the order of their returns."""
    stack: list[tuple[str, tuple[Tensor, ...]]] = []

    # Values are copied, since later operations may modify them in place.
    def enter(path: str, module: object, args: Any, kwargs: Any) -> None:
        tensors = (leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor))
        stack.append((path, tuple(tensor.clone() for tensor in tensors)))

    def leave(path: str, module: object, args: Any, kwargs: Any, returned: Any) -> None:
        _, given = stack.pop()
        kept = tree_map(lambda value: value.clone() if isinstance(value, Tensor) else value, returned)
        events.append(Event(path, given, kept, frozenset(inside for inside, _ in stack)))

    def shadow(path: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def called(*args: Any, **kwargs: Any) -> Any:
            enter(path, method, args, kwargs)
            depth = len(stack)
            try:
                returned = method(*args, **kwargs)
            except BaseException:
                del stack[depth - 1 :]
                raise
            leave(path, method, args, kwargs, returned)
            return returned

        return called

    with ExitStack() as undo:
        for owner_path, owner in network.named_modules():
            if owner_path:
                before = owner.register_forward_pre_hook(partial(enter, owner_path), with_kwargs=True)
                undo.callback(before.remove)
                undo.callback(owner.register_forward_hook(partial(leave, owner_path), with_kwargs=True).remove)
            for name in methods_of(owner):
                if name not in owner.__dict__:
                    path = f"{owner_path}.{name}" if owner_path else name
                    owner.__dict__[name] = shadow(path, getattr(owner, name))
                    undo.callback(owner.__dict__.pop, name)
        yield


def chain_to(
    network: nn.Module, watched: Watched, target: Tensor, sources: Sequence[Tensor]
) -> tuple[Tensor, tuple[Link, ...]] | None:
    """The calls between the parts that lead from one of `sources` to `target`.

    Parameters
    ----------
    network : nn.Module
    watched : Watched
    target : Tensor
    sources : sequence of Tensor

    Returns
    -------
    tuple of Tensor and tuple of Link, or None
        The source and the calls that lead from it to `target` (empty if they are equal); None if other operations are
        involved.
    """
    links: list[Link] = []
    events = list(watched.between)
    while True:
        source = next((value for value in sources if value.shape == target.shape and same(value, target)), None)
        if source is not None:
            return source, tuple(reversed(links))
        if links and links[-1].flat is False:
            flat = next((value for value in sources if value.ndim > 2 and same(value.flatten(1), target)), None)
            if flat is not None:
                first = links.pop()
                links.append(Link(first.path, True, first.steps))
                return flat, tuple(reversed(links))
        found = _event_of(network, events, target)
        if found is None:
            return None
        place, steps = found
        links.append(Link(events[place].path, False, steps))
        target = events[place].given[0]
        events = events[:place]


def _event_of(network: nn.Module, events: Sequence[Event], target: Tensor) -> tuple[int, Steps] | None:
    """The call that returned `target`, and its position in the returned value.

    Of several calls, modules are preferred to methods, since a method may draw noise; then the last call, which is the
    outermost one.
    """
    found: list[tuple[bool, int, Steps]] = []
    for place, event in enumerate(events):
        leaf = _leaf_of(event, target)
        if leaf is not None and event.given and not same(event.given[0], target):
            found.append((isinstance(target_of(network, event.path), nn.Module), place, leaf.steps))
    if not found:
        return None
    _, place, steps = max(found, key=lambda entry: entry[:2])
    return place, steps


def _leaf_of(event: Event, target: Tensor) -> Leaf | None:
    return next((leaf for leaf in leaves_of(event.returned) if same(leaf.value, target)), None)


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two values are equal up to rounding."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.allclose(one, other, rtol=1e-5, atol=1e-6, equal_nan=True)
