"""Keeps a page below a size: the largest tables lose their weakest rows, the largest drawings are omitted."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from causalvae.report.blocks import (
    Block,
    Document,
    FigureRow,
    Folded,
    HeatTable,
    OpenedDrawing,
    Page,
    PairSet,
    Prose,
    Section,
    VerdictCard,
)
from causalvae.report.effects_file import EFFECTS_FILE
from causalvae.report.numbers import Written, format_count
from causalvae.report.tables import Table

# Of one page in bytes; a little below 2 MB, for what is said of what was omitted.
MOST_BYTES = 1_900_000
# Rows that a page shows of a map of components, and of any other table.
MOST_COMPONENTS, MOST_ROWS = 60, 200
_FEWEST_ROWS = 10
_WHERE = f"{EFFECTS_FILE} and results.json in the run's folder hold all of them."

Size = Callable[[Block | VerdictCard], int]


def fit_sections(sections: Sequence[Section]) -> tuple[Section, ...]:
    """The sections with no more rows of any table than a reader looks at."""
    return tuple(replace(section, blocks=tuple(map(_capped, section.blocks))) for section in sections)


def _capped(block: Block) -> Block:
    return cut_rows(block, MOST_COMPONENTS if isinstance(block, HeatTable) else MOST_ROWS)


P = TypeVar("P", Page, Document)


def shrink(page: P, excess: int, size: Size) -> P:
    """The page with at least `excess` bytes less.

    Parameters
    ----------
    page : Page or Document
    excess : int
    size : callable
        Bytes of a block or a card on the page.

    Notes
    -----
    The largest part is cut first, again and again: a table loses half its rows, down to ten, a row of drawings half of
    them, and the graph the pairs of its edges; what is still too large is omitted, and its section says so.
    """
    blocks = [list(section.blocks) for section in page.sections]
    cards = list(page.cards) if isinstance(page, Document) else []
    left_out = [0] * len(blocks)
    heap = [(-size(block), where, place) for where, held in enumerate(blocks) for place, block in enumerate(held)]
    heap += [(-size(card), -1, place) for place, card in enumerate(cards)]
    heapq.heapify(heap)
    while excess > 0 and heap:
        known, where, place = heapq.heappop(heap)
        if where < 0:
            card = cards[place]
            if not card.findings and not card.pictures and not card.tests:
                continue
            is_whole = bool(card.findings or card.pictures)
            cards[place] = replace(card, findings=(), pictures=(), tests=card.tests if is_whole else ())
            now = size(cards[place])
        else:
            block = blocks[where][place]
            cut = _with_fewer_drawings(block)
            left_out[where] += isinstance(block, FigureRow) and cut is not block
            cut = cut_rows(block, max(_FEWEST_ROWS, _rows(block) // 2)) if cut is block else cut
            if cut is block:
                left_out[where] += 1
                cut, now = Prose(""), 0
            else:
                now = size(cut)
            blocks[where][place] = cut
        excess -= -known - now
        if now:
            heapq.heappush(heap, (-now, where, place))
    sections = tuple(
        replace(section, blocks=tuple(block for block in held if block != Prose("")) + _said(count))
        for section, held, count in zip(page.sections, blocks, left_out, strict=True)
    )
    changed: dict[str, Any] = {"cards": tuple(cards)} if cards else {}
    return replace(page, sections=sections, **changed)


def _with_fewer_drawings(block: Block) -> Block:
    """The graph without the pictures in its panels, a row of drawings with half of them; any other block itself."""
    if isinstance(block, FigureRow) and len(block.figures) > 1:
        return replace(block, figures=block.figures[: len(block.figures) // 2])
    if not isinstance(block, OpenedDrawing) or not any(isinstance(b, PairSet) for p in block.panels for b in p.blocks):
        return block
    panels = tuple(
        replace(panel, blocks=tuple(held for held in panel.blocks if not isinstance(held, PairSet)))
        for panel in block.panels
    )
    return replace(
        block, panels=panels, caption=f"{block.caption} The pairs of the edges are omitted because of their size."
    )


def _said(count: int) -> tuple[Block, ...]:
    if not count:
        return ()
    parts = "part is" if count == 1 else "parts are"
    return (Prose(f"{format_count(count)} {parts} omitted here, because this page would become too large. {_WHERE}"),)


def _rows(block: Block) -> int:
    table = _table(block)
    return 0 if table is None else len(table.rows)


def _table(block: Block) -> Table | None:
    if isinstance(block, Table):
        return block
    return block.table if isinstance(block, Folded | HeatTable) else None


def cut_rows(block: Block, most: int) -> Block:
    """The block with at most this many rows, those with the largest estimates; itself where it has no more."""
    table = _table(block)
    if table is None or len(table.rows) <= most:
        return block
    kept = _strongest(table, most)
    note = f"{format_count(most)} rows of {format_count(len(table.rows))}, the largest estimates. {_WHERE}"
    notes = tuple(note for note in table.notes if not note.endswith(_WHERE))
    cut = replace(table, rows=tuple(table.rows[place] for place in kept), notes=(*notes, note))
    if isinstance(block, HeatTable):
        shades = tuple(block.shades[place] for place in kept)
        return replace(block, table=cut, shades=shades, panels=tuple(block.panels[place] for place in kept))
    return replace(block, table=cut) if isinstance(block, Folded) else cut


def _strongest(table: Table, most: int) -> list[int]:
    """Places of the rows with the largest estimate in any column, in the table's order; the first where it has none."""

    def strength(place: int) -> float:
        cells = (cell.values for cell in table.rows[place] if isinstance(cell, Written))
        return max((abs(values[0]) for values in cells if len(values) == 3), default=0.0)

    return sorted(sorted(range(len(table.rows)), key=lambda place: -strength(place))[:most])
