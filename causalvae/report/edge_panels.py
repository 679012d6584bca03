"""What a reader opens on an edge of the graph: its tests on data, network and mapping, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from causalvae.alignment.types import Alignment, Effect, Link, PairCheck
from causalvae.report.alignment_tables import GRAPH_WORDS, LINK_WORDS
from causalvae.report.alignment_words import pair_words
from causalvae.report.blocks import Block, Figure, Panel
from causalvae.report.forest import ForestRow, draw_forest
from causalvae.report.glossary import SYMBOLS
from causalvae.report.graph_layout import Edge
from causalvae.report.numbers import ABSENT, format_count, format_interval, format_p, percent
from causalvae.report.tables import Table, columns


def edge_panel(
    check: PairCheck, alignment: Alignment, anchor: str, pictures: Mapping[Edge, tuple[Block, ...]]
) -> Panel:
    """The tests of one pair.

    Parameters
    ----------
    check : PairCheck
    alignment : Alignment
    anchor : str
    pictures : mapping
        Pair -> blocks that show it on inputs.
    """
    declared = "declared" if check.declared else "not declared"
    blocks: list[Block] = []
    if (drawing := _draw(check, alignment.tolerance)) is not None:
        words = (
            f"Root mean square change of {check.target} in its standard deviations over the data, with intervals. "
            f"The band holds changes that count as none in the data (below {alignment.tolerance:g} sd)."
        )
        blocks.append(Figure(drawing, words))
    blocks.append(_table(check))
    blocks += pictures.get((check.source, check.target), ())
    return Panel(
        anchor,
        f"{check.source} → {check.target}: {check.status}, {declared}",
        SYMBOLS.get(check.status, ""),
        f"{pair_words(check)}.",
        tuple(blocks),
    )


def _draw(check: PairCheck, tolerance: float) -> Markup | None:
    found: list[tuple[str, Effect | Link | None]] = [
        ("data", check.data), ("network", check.network), ("mapping", check.mapping)
    ]  # fmt: skip
    rows = [ForestRow(name, held.value if isinstance(held, Effect) else held.effect, held.lower, held.upper)
            for name, held in found if held is not None]  # fmt: skip
    return draw_forest(rows, (0.0, tolerance))


def _table(check: PairCheck) -> Table:
    data = check.data
    rows: list[tuple[str, ...]] = [
        (
            "Graph against data",
            f"do({check.source}) moves {check.target}" if check.basis != "association" else "association",
            ABSENT if data is None else format_interval(data.value, data.lower, data.upper),
            ABSENT,
            format_p(None if data is None else data.p_present),
            format_p(None if data is None else data.p_absent),
            format_count(None if data is None else data.n),
            GRAPH_WORDS[check.graph],
        )
    ]
    rows += [
        (
            f"At {level.moderator} = {level.level}",
            f"do({check.source}) moves {check.target}",
            format_interval(level.effect.value, level.effect.lower, level.effect.upper),
            ABSENT,
            format_p(level.effect.p_present),
            format_p(level.effect.p_absent),
            format_count(level.effect.n),
            "✓ present",
        )
        for level in check.levels
    ]
    rows += [
        row
        for name, asked, link in (
            ("Network against data", "the output follows the data", check.network),
            ("Mapping against network", "the mapped components do the same", check.mapping),
        )
        if (row := _link_row(name, asked, link)) is not None
    ]
    return Table(
        f"Tests of {check.source} → {check.target}",
        columns(
            "Link",
            "Question",
            "Effect (sd) [interval]#",
            "Share kept#",
            "p present, differs#",
            "p absent, agrees#",
            "Pairs#",
            "Result",
        ),
        tuple(rows),
        (
            "A small p-value is evidence for the heading of its column: for the data, that the effect is present or "
            "absent; for network and mapping, that they differ or agree.",
        ),
    ).filled


def _link_row(name: str, asked: str, link: Link | None) -> tuple[str, ...] | None:
    if link is None:
        return None
    return (
        name,
        asked,
        format_interval(link.effect, link.lower, link.upper),
        ABSENT if link.share is None else percent(link.share),
        format_p(link.p_departs),
        format_p(link.p_agrees),
        format_count(link.n),
        LINK_WORDS[link.status],
    )
