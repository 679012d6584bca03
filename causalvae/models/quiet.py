"""Runs a network without the checks and messages of torch that are not about its numbers."""

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
    """Make distributions inside the block without checks of their arguments.

    The checks decide by values whether to raise, which no tracer can follow, and a patched value may violate them. They
    change no number. Threads may use this beside each other.
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
    """Run torch's attention and transformer layers operation by operation inside the block.

    In evaluation mode they otherwise take a fused kernel that no export can hold, and whose values differ by rounding.
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
    """Keep warnings and log records, and what this thread prints to stderr, from the terminal.

    A tracer that fails prints the code that it generated; the error that it raises says what is wrong.
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
    """A stream that drops what the thread that made it writes, and passes on what others do."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
