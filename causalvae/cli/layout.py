"""Layout of tables in a terminal: columns, groups of columns, or lists of entries; words are not broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from causalvae.report.tables import Table

GAP = 2
_BREAKS = "_-./:"


@dataclass
class _Span:
    """Current width of a column, and its width without line breaks."""

    width: int
    natural: int


def choose_widths(table: Table, available: int) -> tuple[int, ...] | None:
    """The width of each column of `table`, with a sum including gaps of at most `available`.

    Headings and texts are wrapped between words, numbers are not. None if the words do not fit.
    """
    spans = [
        _measure(column.name, [row[position] for row in table.rows], column.numeric)
        for position, column in enumerate(table.columns)
    ]
    room = available - GAP * (len(spans) - 1)
    if sum(span.width for span in spans) > room:
        return None
    while sum(span.width for span in spans) < room:
        wanting = [span for span in spans if span.width < span.natural]
        if not wanting:
            break
        max(wanting, key=lambda span: span.natural / span.width).width += 1
    return tuple(span.width for span in spans)


def split_columns(table: Table, available: int) -> tuple[Table, ...]:
    """Split `table` into tables that fit, each with the column that identifies rows and as many others as possible.

    If the first column does not identify rows, each part has the first two. Empty if there is no such split.
    """
    for keys in (1, 2):
        if len(table.rows) > 1 and len({row[:keys] for row in table.rows}) == len(table.rows):
            break
    else:
        return ()
    groups = [list(range(keys))]
    for position in range(keys, len(table.columns)):
        if choose_widths(_pick(table, [*groups[-1], position]), available) is None:
            groups.append(list(range(keys)))
        groups[-1].append(position)
    parts = tuple(_pick(table, group) for group in groups)
    return parts if all(choose_widths(part, available) is not None for part in parts) else ()


def _pick(table: Table, kept: Sequence[int]) -> Table:
    rows = tuple(tuple(row[position] for position in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[position] for position in kept), rows=rows)


def _measure(heading: str, cells: Sequence[str], numeric: bool) -> _Span:
    lines = [cell_len(line) for cell in cells for line in cell.split("\n")]
    natural = max(lines, default=1)
    words = [heading] if numeric else [heading, *cells]
    word = max((cell_len(word) for text in words for word in text.split()), default=1)
    return _Span(max(word, natural if numeric else 1), max(natural, cell_len(heading), 1))


def list_row(headings: Sequence[str], cells: Sequence[str], width: int) -> list[tuple[str, str]]:
    """A row of a table as a list of entries.

    Parameters
    ----------
    headings, cells : sequence of str
    width : int
        Width of the terminal. Only longer words are broken.

    Returns
    -------
    list of (str, str)
        For each entry its padded heading, and its text, indented after the first line. If a word does not fit after
        the headings, the text begins on the next line.
    """
    label = max(map(cell_len, headings), default=0) + GAP
    entries = []
    for heading, cell in zip(headings, cells, strict=True):
        widest = max(map(cell_len, cell.split()), default=0)
        indent = label if label + widest <= width else min(GAP, max(width - widest, 0))
        pieces = break_lines(cell, max(width - indent, 1)).split("\n")
        before = heading + (" " * (label - cell_len(heading)) if indent == label else "\n" + " " * indent)
        entries.append((before, ("\n" + " " * indent).join(pieces)))
    return entries


def break_lines(text: str, width: int) -> str:
    """Wrap `text` to `width` columns between words; only longer words are broken."""
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
    """Pieces of a word; the last break is after a `_`, `-` or similar if that needs no further line."""
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
    """Number of characters of `word` that fit into `width` columns; at least one."""
    count = taken = 0
    for character in word:
        taken += cell_len(character)
        if taken > width and count:
            break
        count += 1
    return count
