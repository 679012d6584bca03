"""Context managers that turn off checks, fused kernels and messages of torch while a network runs."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import torch
from torch import nn
from torch.distributions import Distribution

_lock = threading.Lock()
_users = 0
_checked = Distribution.__init__
_FUSED = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)


def _unchecked(this: Distribution, *args: Any, **kwargs: Any) -> None:
    # Of the base class: (batch_shape, event_shape, validate_args).
    _checked(this, *args[:2], **{**kwargs, "validate_args": False})


@contextmanager
def unchecked_distributions() -> Iterator[None]:
    """Disable the argument checks of distributions inside the block.

    The checks branch on values, which tracers cannot follow, and patched values may violate them. They do not change
    results. Safe to use from several threads.
    """
    global _users
    with _lock:
        if not _users:
            Distribution.__init__ = _unchecked  # type: ignore[assignment,method-assign]
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                Distribution.__init__ = _checked  # type: ignore[method-assign]


@contextmanager
def unfused_attention() -> Iterator[None]:
    """Disable torch's fused attention kernels inside the block.

    In evaluation mode attention and transformer layers otherwise call a fused kernel, which cannot be exported and
    whose values differ by rounding.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def avoid_fused_attention(network: nn.Module) -> None:
    """Switch torch's fused attention off for this process, if the network has modules that would use it.

    In evaluation mode `nn.TransformerEncoderLayer` calls one fused kernel instead of its modules, unless these have
    hooks. Hooks and captures would then miss the modules, and a pass with hooks would round differently from one
    without. The switch (`torch.backends.mha`) is not restored, since several threads run the network until the process
    ends.
    """
    if any(isinstance(module, _FUSED) for module in network.modules()):
        torch.backends.mha.set_fastpath_enabled(False)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings, log records and the output of this thread to stderr.

    A tracer that fails prints the code that it generated; its exception contains the reason.
    """
    stderr, level = sys.stderr, logging.root.manager.disable
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            sys.stderr = _Others(stderr)
            yield
    finally:
        sys.stderr = stderr
        logging.disable(level)


class _Others:
    """A stream that discards output of the thread that created it and forwards that of other threads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
