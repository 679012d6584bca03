"""A part of a user's network: a call of one of its methods or modules, and tensors selected from its return value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.returned import Steps, take

# Default names of the parts: methods first, since they may call more than one module.
ENCODES = ("encode", "encoder", "_encode", "_encoder", "enc")
DECODES = ("decode", "decoder", "_decode", "_decoder", "dec")
_MOST_NAMES = 12


@dataclass(frozen=True)
class Link:
    """A call of a method or a module of the network.

    Parameters
    ----------
    path : str
        Dotted path from the network.
    flat : bool
        Whether its input is flattened to vectors.
    steps : tuple of int or str
        Path of the tensor in its return value.
    """

    path: str
    flat: bool = False
    steps: Steps = ()


@dataclass(frozen=True)
class Branch:
    """A tensor selected from the return value of a part's first call, and the calls applied to it."""

    steps: Steps = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Condition:
    """The condition in the last channels of an input, after the part that the network reconstructs.

    Parameters
    ----------
    channels : int
        Channels (columns) of the input before the condition.
    input_range : tuple of float
        Range of the inputs; a condition is in [0, 1].
    is_map : bool
        Whether inputs have further axes, over which the condition is constant.
    as_class : bool
        Whether the network takes the index of a class instead of a one-hot vector.
    """

    channels: int
    input_range: tuple[float, float]
    is_map: bool
    as_class: bool = False

    def of(self, x: Tensor) -> Tensor:
        """The condition of inputs (batch, channels, ...): (batch, width), or (batch,) class indices."""
        return self.given(self.labels(x))

    def labels(self, x: Tensor) -> Tensor:
        """The numbers in the last channels of inputs, (batch, width)."""
        low, high = self.input_range
        labels = x[:, self.channels :]
        labels = labels.flatten(2).mean(2) if self.is_map else labels
        return labels if (low, high) == (0.0, 1.0) else (labels - low) / (high - low)

    def given(self, labels: Tensor) -> Tensor:
        """What the network is given of the numbers."""
        return labels.argmax(1) if self.as_class else labels


class ReadCondition(nn.Module):
    """A component of a part: the condition of the inputs, before the number of a class is made of it."""

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self._condition = condition

    def forward(self, x: Tensor) -> Tensor:
        """Numbers, (batch, width)."""
        # A value of its own: a view of the input would be the input's site.
        return self._condition.labels(x).clone()


class NetworkPart(nn.Module):
    """Calls methods and modules of a network that is registered elsewhere, so that each parameter has one path.

    Parameters
    ----------
    network : nn.Module
    first : Link
        The first call of the part.
    branches : sequence of Branch
        One for each returned tensor.
    shape : tuple of int, optional
        Each returned row is reshaped to this shape.
    condition : Condition, optional
        Read from the input and passed to the first call as its second argument.
    splits : bool
        Whether the part's own input holds the condition; else the input is passed separately.
    passes : bool
        Whether the first call receives the condition; else it is only cut off the part's own input.
    before : tuple of Link
        Calls applied to the input first.
    """

    def __init__(
        self,
        network: nn.Module,
        first: Link,
        branches: Sequence[Branch] = (Branch(),),
        shape: tuple[int, ...] | None = None,
        condition: Condition | None = None,
        splits: bool = False,
        before: tuple[Link, ...] = (),
        passes: bool = True,
    ) -> None:
        super().__init__()
        # In a tuple, so that torch does not register the network a second time.
        self._network = (network,)
        self.first = first
        self.branches = tuple(branches)
        self.shape = shape
        self.reads = condition
        # Its address is decoder.condition or encoder.condition.
        self.condition = None if condition is None or not passes else ReadCondition(condition)
        self.splits = splits
        self.before = before
        self.passes = passes

    @property
    def calls_more(self) -> bool:
        """Whether it makes other calls in addition to its first one."""
        return bool(self.before) or any(branch.links for branch in self.branches)

    def forward(self, value: Tensor, x: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        """The tensor or tensors of the part, for a value (batch, ...) and the input."""
        (network,) = self._network
        returned = self.call(value, x)
        found = []
        for branch in self.branches:
            tensor = take(returned, branch.steps)
            tensor = _follow(network, tensor, branch.links)
            # A tracer does not know shapes, so the need for this was decided when the network was read.
            found.append(tensor if self.shape is None else tensor.reshape(-1, *self.shape))
        return found[0] if len(found) == 1 else tuple(found)

    def call(self, value: Tensor, x: Tensor | None = None) -> Any:
        """What the first call returns."""
        more: tuple[Tensor, ...] = ()
        if self.reads is not None:
            whole = value if x is None else x
            more = () if self.condition is None else (self.reads.given(self.condition(whole)),)
            if self.splits:
                value = value[:, : self.reads.channels]
        (network,) = self._network
        value = _follow(network, value, self.before)
        given = value.flatten(1) if self.first.flat else value
        return target_of(network, self.first.path)(given, *more)


def _follow(network: nn.Module, value: Tensor, links: Sequence[Link]) -> Tensor:
    """Apply a chain of calls to a value."""
    for link in links:
        given = value.flatten(1) if link.flat else value
        value = take(target_of(network, link.path)(given), link.steps)
    return value


def target_of(network: nn.Module, path: str) -> Callable[..., Any]:
    """The method or module at a dotted path; raises `AttributeError` if there is no callable there."""
    target: Any = network
    for name in path.split("."):
        target = getattr(target, name)
    if not callable(target):
        raise AttributeError(path)
    called: Callable[..., Any] = target
    return called


def find_path(network: nn.Module, declared: str | None, usual: Sequence[str], key: str) -> str:
    """Find the dotted path of a part in a network.

    Parameters
    ----------
    network : nn.Module
    declared : str or None
        Path of a module or method from the spec.
    usual : sequence of str
        Names to try if `declared` is None.
    key : str
        The spec's key for the part.

    Raises
    ------
    CausalVAEError
        CV119 if there is no such module or method; the message lists the existing ones.
    """
    for path in usual if declared is None else (declared,):
        try:
            target_of(network, path)
        except AttributeError:
            continue
        return path
    wanted = f"no module or method {declared!r}" if declared else f"no method {usual[0]} and no module {usual[1]}"
    methods, modules = methods_of(network), [name for name, _ in network.named_modules() if name]
    told = [f"Its methods: {_listed(methods)}."] if methods else []
    told += [f"Its modules: {_listed(modules)}."] if modules else []
    raise CausalVAEError(
        "CV119",
        f"the network has {wanted}.",
        " ".join([f"Write model.{key}: NAME of the module or method that does it.", *told]),
        f"model.{key}",
    )


def methods_of(network: nn.Module) -> list[str]:
    """Public methods defined by the user's classes, in the order of definition."""
    found: dict[str, None] = {}
    for kind in type(network).__mro__:
        if kind is nn.Module or kind.__module__.startswith("torch."):
            break
        found.update(
            (name, None)
            for name, value in vars(kind).items()
            if inspect.isfunction(value) and not name.startswith("_") and name != "forward"
        )
    return list(found)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
