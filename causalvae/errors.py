"""The error class for everything that a user can correct.

Codes: CV0xx spec, CV1xx model, CV2xx data and readouts, CV3xx plan, CV4xx run, CV5xx effects and verdicts.
"""

from __future__ import annotations

from typing import Any

from causalvae.text import one_line, visible


class CausalVAEError(Exception):
    """A fault with a stable code, a place and a remedy.

    Parameters
    ----------
    code : str
        Stable identifier such as ``CV104``.
    message : str
        What is wrong, in one sentence.
    remedy : str
        What the user can do about it, in one sentence.
    place : object, optional
        Where: a spec field, a file, a component, who asked for a run; its text is kept.

    Examples
    --------
    >>> import causalvae
    >>> try:
    ...     causalvae.load_run("runs/none")
    ... except causalvae.CausalVAEError as error:
    ...     print(error.code)
    CV450
    """

    exit_code = 3

    def __init__(self, code: str, message: str, remedy: str, place: object = None) -> None:
        # Names in specs, files and data may contain characters that a terminal obeys or that reorder a line.
        message, remedy = one_line(message), visible(remedy)
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.place = None if place is None else visible(str(place)).replace("\n", "\\n")

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is otherwise pickled as its class and its message, and called with these alone: it could not be
        # raised in one process and told in another.
        return _restore, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        where = f" at {self.place}" if self.place else ""
        return f"{self.code}{where}: {self.message} {self.remedy}"


class NoPairsError(CausalVAEError):
    """Data that make no pairs, or too few; who did not ask for these pairs goes on without them."""


class MemoryRanOutError(CausalVAEError):
    """Memory ran out, with a remedy for the case."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _restore(kind: type[CausalVAEError], arguments: tuple[Any, ...], state: dict[str, Any]) -> CausalVAEError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error
