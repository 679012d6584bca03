"""Whether a spec may run code of the user's: only where the user says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ALLOWED: ContextVar[bool] = ContextVar("causalvae_code_allowed", default=False)


def code_is_allowed() -> bool:
    """Whether code that a spec names may be imported and called."""
    return _ALLOWED.get()


@contextmanager
def allow_code(allowed: bool = True) -> Iterator[None]:
    """Let specs that are opened inside name code to run.

    Only for specs that you trust as you trust a program: what they name is imported and called.
    """
    token = _ALLOWED.set(allowed)
    try:
        yield
    finally:
        _ALLOWED.reset(token)
