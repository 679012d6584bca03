"""Finds the parameters, buffers and modules that a computation reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Touched:
    """The memory and the modules that a computation used.

    Parameters
    ----------
    storages : frozenset of int
        Memory addresses of all tensors that were arguments of an operation.
    modules : tuple of nn.Module
        Modules in the order of their first call.
    """

    storages: frozenset[int]
    modules: tuple[nn.Module, ...]

    def reads(self, tensor: Tensor) -> bool:
        """Whether a tensor, or a view of it, was an argument of an operation."""
        return tensor.untyped_storage().data_ptr() in self.storages


class _Reads(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.storages: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                self.storages.add(leaf.untyped_storage().data_ptr())
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def watch_reads(run: Callable[[], object]) -> Touched:
    """Run a function and record what it reads."""
    modules: dict[nn.Module, None] = {}

    def called(module: nn.Module, given: Any) -> None:
        modules.setdefault(module)

    handle = nn.modules.module.register_module_forward_pre_hook(called)
    try:
        with _Reads() as reads:
            run()
    finally:
        handle.remove()
    return Touched(frozenset(reads.storages), tuple(modules))


def unused_parameters(network: nn.Module, touched: Touched) -> tuple[str, ...]:
    """Names of the network's parameters that a computation did not read."""
    return tuple(name for name, value in network.named_parameters() if value.numel() and not touched.reads(value))
