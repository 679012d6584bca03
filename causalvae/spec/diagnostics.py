"""Diagnostics of specs: code, message and position of each fault, as text or as a dict."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

from causalvae.errors import CausalVAEError
from causalvae.spec.codes import CODES

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]

WIDTH = 80
_ANSI = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "place": "\x1b[36m", "help": "\x1b[32m"}
_RESET = "\x1b[0m"
_MOST_CHOICES = 400
_FAR = 400
# How many more names `nearest` may compare; None if unlimited.
_COMPARISONS: ContextVar[list[int] | None] = ContextVar("causalvae_comparisons", default=None)


@dataclass(frozen=True)
class Finding:
    """A fault at a path of the spec, without a position in the text.

    Parameters
    ----------
    code : str
        A key of `CODES`.
    path : tuple of str and int
        Keys and list positions from the top to the faulty value; the last may be a missing key.
    message : str
        What is wrong, in one sentence.
    expected : str
        What is expected, or what to do.
    suggestion : str
        The nearest valid name, if any.
    severity : {"error", "warning"}
    on_key : bool
        Mark the key rather than its value.
    part : str
        Mark only this part of the value's text.
    related : tuple of paths
        Other values that the finding depends on; it is omitted if one of them is faulty.
    """

    code: str
    path: Path
    message: str
    expected: str = ""
    suggestion: str = ""
    severity: Severity = "error"
    on_key: bool = False
    part: str = ""
    related: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise KeyError(self.code)


@dataclass(frozen=True)
class Diagnostic:
    """A fault at a position in the text of a spec.

    Parameters
    ----------
    code : str
        Stable identifier, CV001 to CV068.
    severity : {"error", "warning"}
        A spec with an error is rejected.
    message : str
        What is wrong, in one sentence.
    file : str
        Path of the spec, as given.
    line, column : int
        Position, both counted from 1.
    source : str
        The text of the line; empty if the file could not be read.
    expected : str
        What is expected, or what to do.
    suggestion : str
        The nearest valid name, if any.
    field : str
        The field, such as ``hypotheses[0].expect.off_target``.
    length : int
        Number of characters to mark.
    """

    code: str
    severity: Severity
    message: str
    file: str
    line: int
    column: int
    source: str = ""
    expected: str = ""
    suggestion: str = ""
    field: str = ""
    length: int = 1

    def render(self, colour: bool = False) -> str:
        """The fault as text of at most 80 columns, with the source line and carets below the fault.

        Parameters
        ----------
        colour : bool
            Add ANSI colours.
        """

        def paint(text: str, role: str) -> str:
            return f"{_ANSI[role]}{text}{_RESET}" if colour else text

        label = f"{self.severity}[{self.code}]"
        head = _wrap(f"{label} {self.message}", "  ")
        lines = [paint(label, self.severity) + head[0][len(label) :], *head[1:]]
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        lines.append("  --> " + paint(_keep_end(printable(place), WIDTH - 6), "place"))
        if self.source:
            number = str(self.line)
            gutter = " " * len(number) + " | "
            text, before, under = _window(self.source, self.column, self.length, WIDTH - len(gutter) - 1)
            lines.append(f" {number} | {text}".rstrip())
            lines.append(f" {gutter}{' ' * before}" + paint("^" * under, self.severity))
        if self.suggestion:
            lines += [paint(line, "help") for line in _wrap(f"  did you mean {show_text(self.suggestion)}?", "  ")]
        if self.expected:
            lines += [paint(line, "help") for line in _wrap(f"  help: {self.expected}", "        ")]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The fields as text and numbers, for JSON."""
        return asdict(self)


class SpecError(CausalVAEError):
    """A spec with errors; `diagnostics` contains all faults, in the order of the text.

    Parameters
    ----------
    diagnostics : iterable of Diagnostic
        At least one of them an error.
    """

    exit_code = 2

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        errors = [fault for fault in self.diagnostics if fault.severity == "error"]
        if not errors:
            raise ValueError("a spec without an error is not refused")
        first = errors[0]
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        super().__init__(
            first.code,
            f"{first.file} has {count}; the first: {first.message}.",
            first.expected,
            f"{first.file}:{first.line}:{first.column}",
        )

    def render(self, colour: bool = False) -> str:
        """All faults as text, separated by blank lines."""
        return "\n\n".join(fault.render(colour) for fault in self.diagnostics)

    def __str__(self) -> str:
        return self.render()


def field_of(path: Path) -> str:
    """A path as text, such as ``hypotheses[0].expect``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def nearest(name: str, choices: Iterable[str]) -> str:
    """The choice most similar to `name`, or an empty string."""
    known = list(choices)
    if not 0 < len(name) <= 100 or len(known) > _MOST_CHOICES:
        return ""
    left = _COMPARISONS.get()
    if left is not None:
        left[0] -= len(known)
        if left[0] < 0:
            return ""
    folded = {choice.casefold(): choice for choice in reversed(known)}
    if name.casefold() in folded:
        return folded[name.casefold()]
    from difflib import get_close_matches

    matches = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else ""


@contextmanager
def few_comparisons() -> Iterator[None]:
    """Limit `nearest` to 100,000 comparisons of names within the context, for specs with thousands of faults."""
    token = _COMPARISONS.set([100_000])
    try:
        yield
    finally:
        _COMPARISONS.reset(token)


def list_choices(choices: Iterable[str], word: str = "or", most: int = 40) -> str:
    """Names in quotes as an enumeration, such as ``'a', 'b' or 'c'``; at most `most` of them."""
    return _list(tuple(choices), word, most)


@lru_cache(maxsize=64)
def _list(choices: tuple[str, ...], word: str, most: int) -> str:
    # Cached, since thousands of faults may name the same choices.
    names = [show_text(name) for name in choices[:most]]
    if not names:
        return "none"
    if len(choices) > most:
        return ", ".join(names) + f" and {len(choices) - most} more"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" {word} {names[-1]}"


def show_text(text: str, most: int = 40) -> str:
    """Text in quotes, printable and shortened."""
    clean = printable(text)
    return f"'{clean if len(clean) <= most else clean[: most - 3] + '...'}'"


def printable(text: str) -> str:
    """Text on one line, with a replacement for each character that cannot be shown."""
    if text.isascii() and text.isprintable():
        return text
    # One character for one, so that columns do not shift; format characters could reorder the line.
    return "".join(
        " " if char == "\t" else "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in _UNPRINTABLE else char
        for char in text
    )


_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _columns(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(_columns_of(char) for char in text)


def _columns_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _clip(text: str, width: int) -> str:
    used = 0
    for index, char in enumerate(text):
        used += _columns_of(char)
        if used > width:
            return text[:index]
    return text


def _keep_end(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    return "..." + _clip(text[::-1], width - 3)[::-1]


def _wrap(text: str, indent: str) -> list[str]:
    clean = printable(text)
    lead = clean[: len(clean) - len(clean.lstrip())]
    # Wide characters count double; the narrower limit is safe for any mixture of them.
    wide = _columns(clean) > len(clean)
    limit = WIDTH // 2 if wide else WIDTH
    # Names and paths are to be copied, so they are not broken at hyphens.
    lines = textwrap.wrap(clean.strip(), limit, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False)
    return lines or [lead]


def _window(source: str, column: int, length: int, width: int) -> tuple[str, int, int]:
    """Clip a source line around its fault: the text, the columns before the caret, and the caret's width."""
    at = min(max(column - 1, 0), len(source))
    # A line may be a whole file; only the surroundings of the fault are used.
    far = max(at - _FAR, 0)
    text = printable(source[far : at + _FAR])
    at -= far
    # The fault begins within the first two thirds of the line shown.
    start = 0
    if _columns(text) > width and _columns(text[:at]) > 2 * width // 3:
        budget = width // 2
        start = at
        while start > 0 and budget >= 2:
            start -= 1
            budget -= _columns_of(text[start])
    prefix = "..." if start or far else ""
    body = _clip(text[start:], width - len(prefix))
    if _columns(text[start:]) > width - len(prefix):
        body = _clip(body, width - len(prefix) - 3) + "..."
    before = _columns(prefix + text[start:at])
    under = max(1, _columns(text[at : at + max(length, 1)]))
    return prefix + body, min(before, width - 1), max(1, min(under, width - before))
