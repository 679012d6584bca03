"""Traces a network symbolically, with the module call that each operation belongs to."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from torch import fx, nn

# Path, which call of it, class name; outermost first.
Calls = tuple[tuple[str, int, str], ...]

_CALLS = "calls"


class Symbol(fx.Proxy):
    """A value that is not known yet; writing on it becomes an operation as well."""

    def _write(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.tracer.create_proxy("call_function", function, (self, *args), {})

    def __iadd__(self, other: Any) -> Any:
        return self._write(operator.iadd, other)

    def __isub__(self, other: Any) -> Any:
        return self._write(operator.isub, other)

    def __imul__(self, other: Any) -> Any:
        return self._write(operator.imul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._write(operator.itruediv, other)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._write(operator.setitem, index, value)


class ModuleTracer(fx.Tracer):
    """Traces through all modules; one of torch's own that does not let itself be traced stays one operation.

    Parameters
    ----------
    original : nn.Module
        The network of which a copy is traced. A closure goes on calling the modules that it was made with.

    Attributes
    ----------
    abandoned : set of fx.Node
        Nodes of attempts to trace through a module that stayed one operation.
    """

    # Buffers are read when the graph runs, as parameters are, so that other weights can take their place.
    proxy_buffer_attributes = True

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self._paths = {module: path for path, module in original.named_modules()}
        self.abandoned: set[fx.Node] = set()
        self._open: list[tuple[str, int, str]] = []
        self._counts: dict[str, int] = {}

    def path_of_module(self, mod: nn.Module) -> str:
        """Dotted path of a module of the network or of the traced copy."""
        return self._paths[mod] if mod in self._paths else super().path_of_module(mod)

    def proxy(self, node: fx.Node) -> Symbol:
        """The value of `node`."""
        return Symbol(node, self)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """A node that knows which module calls are under way."""
        node = super().create_node(*args, **kwargs)
        node.meta[_CALLS] = tuple(self._open)
        return node

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace through a module, or make its call one operation."""
        path = self.path_of_module(m)
        before, depth, counts = len(self.graph.nodes), len(self._open), dict(self._counts)
        number = self._counts[path] = self._counts.get(path, 0) + 1
        self._open.append((path, number, type(m).__name__))
        try:
            return forward(*args, **kwargs)
        except Exception:
            if not _can_stay_whole(m):
                raise
            # Whatever the attempt opened and counted does not happen inside one operation.
            del self._open[depth + 1 :]
            self._counts = {**counts, path: number}
            self.abandoned.update(list(self.graph.nodes)[before:])
            return self.create_proxy("call_module", path, args, kwargs)
        finally:
            del self._open[depth:]


def calls_of(node: fx.Node) -> Calls:
    """The module calls that a traced node belongs to."""
    calls: Calls = node.meta.get(_CALLS, ())
    return calls


def _can_stay_whole(module: nn.Module) -> bool:
    """Whether a module is torch's own and hides no module that a user may want to reach."""
    own = type(module).__module__.startswith("torch.nn.")
    # Attention never calls its one child as a module.
    return own and (isinstance(module, nn.MultiheadAttention) or not list(module.children()))
