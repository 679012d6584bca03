"""Finds modules that a network calls without registering them: in plain lists, dictionaries and closures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

_DEEPEST = 4


def find_unregistered(network: nn.Module, called: Sequence[nn.Module]) -> dict[str, nn.Module]:
    """The modules among `called` that are not submodules of `network`, by their path in its attributes.

    A module that cannot be reached from an attribute is named ``unregistered.0`` and so on.

    Parameters
    ----------
    network : nn.Module
    called : sequence of nn.Module
        In the order of their first call.
    """
    known = set(network.modules())
    foreign = [module for module in called if module not in known]
    # A module inside another one of them already has a path.
    inside = {child for module in foreign for child in module.modules() if child is not module}
    roots = [module for module in foreign if module not in inside]
    if not roots:
        return {}
    held = {module: path for path, module in reversed(list(_held(network))) if module not in known}
    found: dict[str, nn.Module] = {}
    for module in roots:
        path = held.get(module, f"unregistered.{len(found)}")
        found[path if path not in found else f"{path}_{len(found)}"] = module
    return found


def as_tree(modules: dict[str, nn.Module]) -> nn.Module:
    """A module that holds each of `modules` at its path."""
    root = nn.Module()
    for path, module in modules.items():
        *outer, last = path.split(".")
        owner = root
        for name in outer:
            if name not in owner._modules:
                owner.add_module(name, nn.Module())
            owner = owner.get_submodule(name)
        owner.add_module(last, module)
    return root


def _held(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module inside an attribute, with its path."""
    for path, owner in network.named_modules():
        for name, value in vars(owner).items():
            if not name.startswith("_"):
                yield from _inside(value, f"{path}.{name}" if path else name, 0)


def _inside(value: Any, path: str, depth: int) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(value, nn.Module):
        yield path, value
    elif depth >= _DEEPEST:
        return
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, f"{path}.{key}".replace(" ", "_"), depth + 1)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _inside(item, f"{path}.{place}", depth + 1)
    elif inspect.isfunction(value):
        outer = path.rpartition(".")[0]
        for name, item in inspect.getclosurevars(value).nonlocals.items():
            yield from _inside(item, f"{outer}.{name}" if outer else name, depth + 1)
