"""What a symbolically traced call computes, as a function that writes on nothing that it is given.

Where an operator of `torch.export`'s set says the same, that one is taken: the engine's rules know operators by these.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from causalvae.models.functional import ACTIVATION_CALLS, ACTIVATION_NAMES

_ATEN = torch.ops.aten
_BINARY: dict[Any, str] = {
    operator.add: "add", operator.sub: "sub", operator.mul: "mul", operator.truediv: "div",
    torch.add: "add", torch.sub: "sub", torch.mul: "mul", torch.div: "div",
    "add": "add", "sub": "sub", "mul": "mul", "div": "div",
}  # fmt: skip
_UNARY = frozenset(("exp", "log", "neg", "abs", "sqrt", "square", "sin", "cos", "rsqrt", "reciprocal"))
_WRITING = frozenset((operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.setitem))


@dataclass(frozen=True)
class Method:
    """Calls a method of its first argument."""

    name: str

    def __call__(self, this: Any, *args: Any, **kwargs: Any) -> Any:
        """The method's value."""
        return getattr(this, self.name)(*args, **kwargs)


@dataclass(frozen=True)
class OnCopy:
    """A function that writes on its first argument, given a copy of it; its value is what the copy became."""

    function: Callable[..., Any]

    def __call__(self, this: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The first argument's new value."""
        copied = this.clone()
        self.function(copied, *args, **kwargs)
        return copied


@dataclass(frozen=True)
class ModuleCall:
    """A module as a function of its parameters and buffers; threads may call it beside each other.

    Parameters
    ----------
    module : nn.Module
        Left as it is.
    names : tuple of str
        Dotted names of its parameters and buffers.
    """

    module: nn.Module
    names: tuple[str, ...]

    def __call__(self, tensors: tuple[Tensor, ...], *args: Any, **kwargs: Any) -> Any:
        """The module's output where its parameters and buffers are `tensors`."""
        return _with_tensors(self.module, dict(zip(self.names, tensors, strict=True)))(*args, **kwargs)


def _with_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The module over other tensors; nothing but these and the modules themselves is new."""
    twin = module.__new__(type(module))
    twin.__dict__ = dict(module.__dict__)
    for kind in ("_parameters", "_buffers"):
        held = module.__dict__[kind]
        twin.__dict__[kind] = {name: None if held[name] is None else tensors[name] for name in held}
    twin.__dict__["_modules"] = {
        name: None if child is None else _with_tensors(child, _below(name, tensors))
        for name, child in module._modules.items()
    }
    if isinstance(module, nn.RNNBase):
        # Recurrent layers hold their weights a second time, in a list.
        twin.__dict__["_flat_weights"] = [tensors[name] for name in module._flat_weights_names]
    return twin


def _below(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}


@dataclass(frozen=True)
class Translated:
    """A call that a traced node stands for.

    Parameters
    ----------
    function : callable
    args, kwargs
        With traced nodes in place of values.
    writes : bool
        Whether the traced call writes on its first argument; `function` itself does not.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    writes: bool = False


def translate(node: fx.Node, is_tensor: Callable[[Any], bool]) -> Translated:
    """The call that a traced function or method node stands for.

    Parameters
    ----------
    node : fx.Node
        Of kind call_function or call_method.
    is_tensor : callable
        Whether an argument's value is a tensor.
    """
    function, args, kwargs = node.target, node.args, dict(node.kwargs)
    if "input" in kwargs and not args:
        args = (kwargs.pop("input"),)
    if not args or not is_tensor(args[0]):
        return Translated(_callable(node), args, kwargs)
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    args, kwargs, in_place = _without_inplace(function, args, kwargs)
    plain = name.rstrip("_")
    in_place = in_place or function in _WRITING or (_ends_as_in_place(name) and _is_torchs(function, name))
    known = _activation(function, plain) or _known(function, plain, args, kwargs, is_tensor)
    if known is not None:
        called = known if isinstance(known, Translated) else Translated(known, args, kwargs)
        return Translated(called.function, called.args, called.kwargs, in_place)
    call = _callable(node)
    return Translated(OnCopy(call) if in_place else call, args, kwargs, in_place)


def _callable(node: fx.Node) -> Callable[..., Any]:
    if isinstance(node.target, str):
        return Method(node.target)
    return node.target


def _without_inplace(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """Arguments without `inplace`, and whether it was set."""
    if not inspect.isfunction(function):
        return args, kwargs, False
    names = list(inspect.signature(function).parameters)
    if "inplace" not in names:
        return args, kwargs, False
    place = names.index("inplace")
    kwargs = dict(kwargs)
    given = bool(kwargs.pop("inplace", False))
    if len(args) > place:
        given = bool(args[place])
        kwargs.update(zip(names[place + 1 :], args[place + 1 :], strict=False))
        args = args[:place]
    return args, kwargs, given


def _activation(function: Any, plain: str) -> Callable[..., Any] | None:
    if plain not in ACTIVATION_NAMES or not (isinstance(function, str) or function in ACTIVATION_CALLS):
        return None
    packet = getattr(_ATEN, plain, None)
    return None if packet is None else packet.default


def _known(
    function: Any, plain: str, args: tuple[Any, ...], kwargs: dict[str, Any], is_tensor: Callable[[Any], bool]
) -> Callable[..., Any] | Translated | None:
    """The operator of torch.export's set, where there is one."""
    if function is F.linear:
        return _ATEN.linear.default
    if function is torch.conv2d and not any(isinstance(value, str) for value in (*args, *kwargs.values())):
        return Translated(_ATEN.conv2d.default, _paired(args), _paired_named(kwargs))
    if function is torch.conv_transpose2d:
        return Translated(_ATEN.conv_transpose2d.input, _paired(args), _paired_named(kwargs))
    if function is F.dropout and not kwargs.get("training", args[2] if len(args) > 2 else True):
        return Translated(
            _ATEN.dropout.default, (args[0], args[1] if len(args) > 1 else kwargs.get("p", 0.5), False), {}
        )
    if function in _BINARY and len(args) == 2 and not kwargs:
        operand = args[1]
        if is_tensor(operand) or (isinstance(operand, (int, float)) and not isinstance(operand, bool)):
            return getattr(_ATEN, _BINARY[function]).Tensor  # type: ignore[no-any-return]
    if (
        plain in _UNARY
        and len(args) == 1
        and not kwargs
        and (isinstance(function, str) or function in _of_torch(plain))
    ):
        return getattr(_ATEN, plain).default  # type: ignore[no-any-return]
    if function in ("view", "reshape", torch.reshape):
        sizes = args[1] if len(args) == 2 and isinstance(args[1], (list, tuple)) else args[1:]
        if sizes and not kwargs and all(isinstance(size, (int, fx.Node)) for size in sizes):
            packet = _ATEN.view if function == "view" else _ATEN.reshape
            return Translated(packet.default, (args[0], list(sizes)), {})
    return None


def _ends_as_in_place(name: str) -> bool:
    return name.endswith("_") and not name.endswith("__")


def _is_torchs(function: Any, name: str) -> bool:
    """Whether a function is torch's own, whose names tell what writes on its argument."""
    return isinstance(function, str) or any(getattr(place, name, None) is function for place in (torch, F))


def _of_torch(name: str) -> tuple[Any, ...]:
    return (getattr(torch, name, None), getattr(torch, name + "_", None))


def _paired(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Geometry of a two-dimensional convolution as lists, as operators hold it; the groups are one number."""
    return tuple(_pair(value) if position >= 3 and position != 6 else value for position, value in enumerate(args))


def _paired_named(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: _pair(value) if name not in ("weight", "bias", "groups") else value for name, value in kwargs.items()}


def _pair(value: Any) -> Any:
    if isinstance(value, int):
        return [value, value]
    return list(value) if isinstance(value, tuple) else value
