"""What the trace of a network depends on: its classes, plain attributes and the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, type, BuiltinFunctionType, type(None))
# What `nn.Module` stores apart from the attributes of its class.
_REGISTERED = ("_parameters", "_buffers", "_modules")


def structure_of(network: nn.Module, example: tuple[Tensor, ...]) -> Hashable | None:
    """A key that two networks share if `torch.export` gives one graph for both; tensors count without their values.

    Parameters
    ----------
    network : nn.Module
    example : tuple of Tensor
        Its arguments.

    Returns
    -------
    Hashable or None
        None for a network with an attribute that cannot be compared, such as a tensor that is no parameter or buffer.
    """
    try:
        return (torch.get_default_dtype(), _Reader().read((network, *map(_shape, example))))
    except _NotPlainError:
        return None


class _NotPlainError(Exception):
    pass


class _Reader:
    """Reads each module and tensor once: what is shared between two places is numbered."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def read(self, value: Any) -> Hashable:
        """A value's type and content."""
        if isinstance(value, _PLAIN) or (isinstance(value, FunctionType) and value.__closure__ is None):
            return type(value), value
        if isinstance(value, (tuple, list)):
            return type(value), tuple(self.read(item) for item in value)
        if isinstance(value, (set, frozenset)):
            return type(value), frozenset(self.read(item) for item in value)
        if isinstance(value, Mapping):
            return type(value), tuple((self.read(key), self.read(item)) for key, item in value.items())
        if isinstance(value, nn.Module):
            return self._module(value)
        raise _NotPlainError

    def _module(self, module: nn.Module) -> Hashable:
        if id(module) in self._numbers:
            return self._numbers[id(module)]
        self._numbers[id(module)] = len(self._numbers)
        kind = type(module)
        attributes = {name: value for name, value in vars(module).items() if name not in _REGISTERED}
        tensors = [self._tensor(*item) for part in (module._parameters, module._buffers) for item in part.items()]
        return kind, kind.forward, self.read(attributes), tuple(tensors), self.read(module._modules)

    def _tensor(self, name: str, tensor: Tensor | None) -> Hashable:
        if tensor is None:
            return name
        return name, self._numbers.setdefault(id(tensor), len(self._numbers)), _shape(tensor)


def _shape(tensor: Tensor) -> tuple[Any, ...]:
    return type(tensor), tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad
