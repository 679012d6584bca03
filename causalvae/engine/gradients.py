"""Passes through a network that can be differentiated."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from causalvae.models.hooked import HookedNetwork
from causalvae.models.program import Program

# PyTorch counts the permission to overwrite saved values once for the process, not for each thread.
_PERMISSION = threading.RLock()


@contextmanager
def gradients_through(graph: Program) -> Iterator[None]:
    """Let passes be differentiated, forward and backward both within.

    The modules of a network that is run as it is may overwrite values that a gradient still needs; these are copied,
    and only one thread at a time can do that.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        if isinstance(graph, HookedNetwork):
            stack.enter_context(_PERMISSION)
            stack.enter_context(torch.autograd.graph.allow_mutation_on_saved_tensors())
        yield
