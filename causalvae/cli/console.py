"""Consoles: results go to stdout, progress and errors to stderr."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from causalvae.text import escape_json, visible

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

    from causalvae.report.tables import Table

WIDEST = 120
# Where the width of the terminal is unknown.
_WIDTH = 80


def stdout() -> Console:
    """The console of results; plain text if piped."""
    return _console(stderr=False)


def stderr() -> Console:
    """The console of progress and errors."""
    return _console(stderr=True)


def print_json(value: Any) -> None:
    """Write `value` to stdout as one strict JSON object."""
    sys.stdout.write(escape_json(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)) + "\n")


def print_paths(console: Console, paths: Iterable[tuple[str, Path]]) -> None:
    """Print names and their paths; these are not wrapped, so that a reader can copy them."""
    from rich.text import Text

    for name, path in paths:
        console.print(Text.assemble((f"{name:<9}", "bold"), clean(str(path))), soft_wrap=True)


def print_table(console: Console, table: Table) -> None:
    """Print a table of a report with its caption."""
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    console.print(clean(table.caption), style="bold")
    for place, part in enumerate(_laid_out(table, console.width)):
        if place:
            console.print()
        console.print(part)
    for note in table.notes:
        console.print(Padding(Text(clean(note), style="dim"), (0, 0, 0, 2), expand=False))


def _laid_out(table: Table, width: int) -> list[RichTable | Text]:
    """The layout of a table in a terminal of `width` columns: one grid, several grids, or lists of entries."""
    from rich.text import Text

    from causalvae.cli.layout import choose_widths, list_row, split_columns

    headings = tuple(replace(column, name=clean(column.name)) for column in table.columns)
    table = replace(table, columns=headings, rows=tuple(tuple(clean(cell) for cell in row) for row in table.rows))
    parts = (table,) if choose_widths(table, width) is not None else split_columns(table, width)
    if parts:
        return [_grid(part, widths) for part in parts if (widths := choose_widths(part, width)) is not None]
    names = [column.name for column in table.columns]
    return [
        Text("\n").join(
            Text.assemble((before, "dim"), (lines, style_of(cell)))
            for cell, (before, lines) in zip(row, list_row(names, row, width), strict=True)
        )
        for row in table.rows
    ]


def _grid(table: Table, widths: tuple[int, ...]) -> RichTable:
    """A table with columns of these widths; numbers are right-aligned, statuses coloured."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    from causalvae.cli.layout import break_lines

    # The gap is the left padding and the column of the box.
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 0, 0, 1))
    for column, size in zip(table.columns, widths, strict=True):
        grid.add_column(
            Text(break_lines(column.name, size)),
            justify="right" if column.numeric else "left",
            vertical="top",
            width=size,
            no_wrap=True,
            overflow="fold",
        )
    for row in table.rows:
        cells = zip(row, table.columns, widths, strict=True)
        grid.add_row(
            *(
                Text(cell if column.numeric else break_lines(cell, size), style=style_of(cell))
                for cell, column, size in cells
            )
        )
    return grid


_STYLES = {"✓": "green", "✗": "red", "+": "magenta", "~": "yellow", "?": "yellow"}


def style_of(cell: str) -> str:
    """The colour of a status cell, by its symbol; empty for other cells."""
    return _STYLES.get(cell[:1], "") if cell[1:2] == " " else ""


def clean(text: str) -> str:
    """`text` with control and invisible characters escaped, and tabs as spaces."""
    return visible(text.replace("\t", " "))


class _Pipe(Console):
    """A console that raises `BrokenPipeError` where its reader has gone, as any other stream does."""

    def on_broken_pipe(self) -> None:
        """Raise; rich exits with 1, which is the code of a refuted hypothesis."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def _console(stderr: bool) -> Console:
    console = _Pipe(stderr=stderr, markup=False, highlight=False, emoji=False)
    # A width of 0 (COLUMNS=0) would print nothing.
    console.width = min(console.width or _WIDTH, WIDEST)
    return console
