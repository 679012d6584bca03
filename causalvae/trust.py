"""Whether a spec may run code of the user's: only where the user says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from causalvae.errors import CausalVAEError

_ALLOWED: ContextVar[bool] = ContextVar("causalvae_code_allowed", default=False)


def code_is_allowed() -> bool:
    """Whether code that a spec names may be imported and called."""
    return _ALLOWED.get()


@contextmanager
def allow_code(allowed: bool = True) -> Iterator[None]:
    """Let specs that are opened inside name code to run.

    Only for specs that you trust as you trust a program: what they name is imported and called.

    Examples
    --------
    >>> import causalvae
    >>> with causalvae.allow_code():
    ...     session = causalvae.open("examples/by_hand/bent.yaml")
    >>> session.model
    Model(11 components, 30 parameters)
    """
    token = _ALLOWED.set(allowed)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def refuse_code(what: str, place: str) -> None:
    """Raise CV117 unless code is allowed; `what` names the code."""
    if not code_is_allowed():
        raise CausalVAEError(
            "CV117",
            f"the spec names code to run ({what}), and code is not allowed.",
            "If you trust it as you trust a program, add --allow-code (in Python: causalvae.allow_code()).",
            place,
        )
