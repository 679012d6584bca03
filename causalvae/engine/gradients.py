"""Differentiable passes through a network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from causalvae.models.hooked import HookedNetwork
from causalvae.models.program import Program

# PyTorch has one flag for mutation of saved tensors per process, not per thread.
_PERMISSION = threading.RLock()


@contextmanager
def gradients_through(graph: Program) -> Iterator[None]:
    """Enable gradients; both the forward and the backward pass must be within the context.

    The modules of a hooked network may overwrite values needed for gradients; PyTorch then copies them, which only one
    thread at a time can do.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        if isinstance(graph, HookedNetwork):
            stack.enter_context(_PERMISSION)
            stack.enter_context(torch.autograd.graph.allow_mutation_on_saved_tensors())
        yield
