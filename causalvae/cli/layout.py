"""Widths and line breaks of a table in a terminal: numbers stay whole, names break only where there is no room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from causalvae.report.tables import Table

GAP = 2
_NARROWEST = 6
_BREAKS = "_-./:"


@dataclass
class _Span:
    """A column's width while it is being settled, and the widths at which it reads well and at which it just reads."""

    numeric: bool
    width: int
    natural: int
    half: int


def choose_widths(table: Table, available: int) -> tuple[int, ...]:
    """The width of each column of `table`, their sum with the gaps at most `available` where that can be.

    Headings wrap at words first, then texts at words, then long names fold once; only a table for which that is not
    enough has names on three lines or more. Numbers never break.
    """
    spans = [
        _measure(column.name, [row[position] for row in table.rows], column.numeric)
        for position, column in enumerate(table.columns)
    ]
    room = available - GAP * (len(spans) - 1)
    while sum(span.width for span in spans) < room:
        wanting = [span for span in spans if span.width < span.natural]
        if not wanting:
            break
        max(wanting, key=lambda span: span.natural / span.width).width += 1
    for least in ("half", "narrowest"):
        while sum(span.width for span in spans) > room:
            yielding = [
                span
                for span in spans
                if not span.numeric and span.width > (span.half if least == "half" else _NARROWEST)
            ]
            if not yielding:
                break
            max(yielding, key=lambda span: span.width).width -= 1
    return tuple(span.width for span in spans)


def _measure(heading: str, cells: Sequence[str], numeric: bool) -> _Span:
    head = max(map(cell_len, heading.split()), default=1)
    lines = [cell_len(line) for cell in cells for line in cell.split("\n")]
    natural = max(lines, default=1)
    word = natural if numeric else max((cell_len(word) for cell in cells for word in cell.split()), default=1)
    return _Span(
        numeric,
        width=max(head, word, 1),
        natural=max(natural, cell_len(heading), 1),
        half=max(head, (word + 1) // 2, 1),
    )


def break_lines(text: str, width: int) -> str:
    """`text` in lines of at most `width` columns: between words, inside a word only where it is wider than a line."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if cell_len(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            *full, line = _fold(word, width)
            lines.extend(full)
        lines.append(line)
    return "\n".join(lines)


def _fold(word: str, width: int) -> list[str]:
    """Pieces of a word; the last break falls behind a `_`, `-` or the like where that costs no further line."""
    pieces = []
    while cell_len(word) > width:
        cut = _fitting(word, width)
        for place in range(cut, 0, -1):
            if word[place - 1] in _BREAKS and cell_len(word[place:]) <= width:
                cut = place
                break
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def _fitting(word: str, width: int) -> int:
    """How many characters of `word` fit into `width` columns; at least one."""
    count = taken = 0
    for character in word:
        taken += cell_len(character)
        if taken > width and count:
            break
        count += 1
    return count
