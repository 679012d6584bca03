"""Networks compiled by `torch.compile`: finds the original modules, which hooks and captures need."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import nn

from causalvae.errors import CausalVAEError, first_line
from causalvae.models.operators import tensors_of


def is_compiled(network: nn.Module) -> bool:
    """Whether the network, or any module in it, is compiled."""
    return any(_wraps(module) or module._compiled_call_impl is not None for module in network.modules())


def compiled_functions(network: nn.Module) -> tuple[str, ...]:
    """Dotted names of functions of the network's modules that `torch.compile` compiled.

    A capture looks through them, but a hook that is registered after the first compiled call does not fire.
    """
    found = [
        f"{path}.{name}" if path else name
        for path, module in network.named_modules()
        for name in ("forward", *module.__dict__)
        if _is_compiled_function(module.__dict__.get(name, getattr(type(module), name, None)))
    ]
    return tuple(dict.fromkeys(found))


def _is_compiled_function(value: object) -> bool:
    return not isinstance(value, nn.Module) and getattr(value, "_torchdynamo_orig_callable", None) is not None


def _wraps(module: nn.Module) -> bool:
    """Whether a module is a wrapper made by `torch.compile`."""
    # Checked by name, since importing the class takes seconds.
    return type(module).__name__ == "OptimizedModule" and "_orig_mod" in module._modules


def original_of(network: nn.Module) -> nn.Module:
    """The network before `torch.compile`, with its own module paths and the same tensors.

    The argument is not modified: if anything in it is compiled, its modules are copied, and compiled ones are replaced
    by their originals.

    Raises
    ------
    CausalVAEError
        CV111 if it cannot be copied.
    """
    if _wraps(network):
        return original_of(network.get_submodule("_orig_mod"))
    if not is_compiled(network):
        return network
    known: dict[int, Any] = {id(tensor): tensor for tensor in tensors_of(network).values()}
    try:
        for module in _compiled_innermost_first(network):
            # References to the compiled module become references to the copy of its original.
            known[id(module)] = copy.deepcopy(module.get_submodule("_orig_mod"), known)
        copied: nn.Module = copy.deepcopy(network, known)
    except Exception as error:
        reason = first_line(error)
        raise CausalVAEError(
            "CV111",
            f"the network is compiled, and what was compiled cannot be reached: {reason.rstrip('.')}.",
            "Give the network before torch.compile.",
            "model",
        ) from error
    return copied


def _compiled_innermost_first(network: nn.Module) -> Iterator[nn.Module]:
    # A module is named before those inside it.
    yield from reversed([module for module in network.modules() if _wraps(module)])
