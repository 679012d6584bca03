"""Where the command line writes: results to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from causalvae.report.tables import Table

WIDEST = 120


def stdout() -> Console:
    """The console of results; plain text where it is piped."""
    return _console(stderr=False)


def stderr() -> Console:
    """The console of progress and errors."""
    return _console(stderr=True)


def print_json(value: Any) -> None:
    """Write `value` to stdout as one strict JSON object."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_table(console: Console, table: Table, title: bool = True) -> None:
    """Print a report's table, its caption above it."""
    if title:
        console.print()
        console.print(clean(table.caption), style="bold")
    console.print(rich_table(table))
    for note in table.notes:
        console.print(f"  {clean(note)}", style="dim")


def rich_table(table: Table) -> RichTable:
    """A report's table for the terminal: numbers to the right, statuses in colour."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for column in table.columns:
        # Numbers are never broken over lines; names may be.
        grid.add_column(
            clean(column.name),
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            overflow="fold",
        )
    for row in table.rows:
        grid.add_row(*(Text(clean(cell), style=style_of(cell)) for cell in row))
    return grid


_STYLES = {"✓": "green", "✗": "red", "+": "magenta", "?": "yellow"}


def style_of(cell: str) -> str:
    """The colour of a status, which its symbol says too."""
    return _STYLES.get(cell[:1], "") if cell[1:2] == " " else ""


def clean(text: str) -> str:
    """`text` without characters that a terminal would obey."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if console.width > WIDEST:
        console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=WIDEST)
    return console
