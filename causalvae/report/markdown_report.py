"""A report as Markdown: the same tables and words, the graph as a mermaid block, images left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from causalvae.report import effect_tables, tables
from causalvae.report.blocks import Document, Folded, GraphText, Heading, Page, PairSet, Prose, Section, Strips
from causalvae.report.effect_grids import build_grids
from causalvae.report.graph_svg import DrawnEdge, declared_edges, recovered_edges
from causalvae.report.pair_section import pair_words
from causalvae.report.tables import Table
from causalvae.results import Results
from causalvae.text import visible

_MOST_ROWS = 400
_SPECIAL = re.compile(r"([\\`*|~$])")
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_LINE_START = re.compile(r"^(\s*)([#>+=-]|\d+[.)])")
_ARROWS = {
    "declared": "-->",
    "supported": "==>",
    "missing": '-. "✗ missing" .->',
    "spurious": '-- "+ spurious" -->',
    "undecided": '-. "? undecided" .->',
    "untested": "-.->",
}


def render_markdown(document: Document) -> str:
    """The whole report as GitHub-flavoured Markdown; what cannot be seen is shown by its escape."""
    results = document.results
    lines = [f"# {escape_markdown(results.name)}", ""]
    if results.description:
        lines += [escape_markdown(results.description), ""]
    lines += [f"**Question.** {escape_markdown(results.question)}", ""]
    lines += [f"**Answer.** {escape_markdown(results.answer)}", ""]
    if document.tally:
        lines += ["**Verdicts.** " + ", ".join(words for _, words in document.tally), ""]
    if results.warnings:
        lines += ["**⚠ Before you trust the numbers**", ""]
        lines += [f"- {escape_markdown(warning)}" for warning in results.warnings]
        lines.append("")
    if document.cards:
        lines += ["## Verdicts", ""]
        lines += _table(tables.verdict_table(results.verdicts).filled)
        for card in document.cards:
            verdict = card.verdict
            lines += [f"### {escape_markdown(verdict.hypothesis)}: {card.words}", ""]
            if verdict.claim:
                lines += [escape_markdown(verdict.claim), ""]
            lines += [f"**{escape_markdown(card.reason)}**", ""]
            lines += [
                f"Treatment {escape_markdown(verdict.treatment)}; circuit {escape_markdown(card.circuit)}; outcome "
                f"{escape_markdown(card.outcome)}; Holm-adjusted p for {_text(card.p_support)}, against "
                f"{_text(card.p_refute)}; alpha {card.alpha}"
                + (f"; about {card.needed} pairs would probably settle it." if card.needed else "."),
                "",
            ]
            lines += _table(tables.test_table(verdict.tests).filled)
            for finding in card.findings:
                lines += [f"*{escape_markdown(finding.title)}.* {escape_markdown(finding.text)}", ""]
                if finding.table is not None:
                    lines += _table(finding.table)
    for section in document.sections:
        lines += section_lines(section, results)
    lines += ["## How to read this", ""]
    for term in document.glossary:
        formula = f" *{escape_markdown(term.formula)}*." if term.formula else ""
        meaning = f" {escape_markdown(term.meaning)}" if term.meaning else ""
        lines.append(f"- **{escape_markdown(term.title)}.**{formula}{meaning}")
    return visible("\n".join(lines) + "\n")


def escape_markdown(text: str) -> str:
    """`text` on one line, so that Markdown shows it as it is."""
    plain = " ".join(text.split())
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = _SPECIAL.sub(r"\\\1", plain).replace("](", "]\\(")
    plain = _EDGE_UNDERSCORE.sub(r"\\_", plain)
    return _LINE_START.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", plain)


def mermaid(results: Results, edges: Iterable[DrawnEdge]) -> list[str]:
    """The lines of a mermaid block."""
    graph = results.graph
    names = list(dict.fromkeys([*graph.factors, *graph.attributes]))
    ids = {name: f"n{position}" for position, name in enumerate(names)}
    lines = ["```mermaid", "flowchart LR"]
    for name in names:
        where = ", ".join(graph.mapping.get(name, ()))
        label = _mermaid_text(f"{name} ({where})" if where else name)
        lines.append(f'  {ids[name]}(["{label}"])' if name in graph.factors else f'  {ids[name]}["{label}"]')
    lines.extend(
        f"  {ids[edge.source]} {_ARROWS[edge.style]} {ids[edge.target]}"
        for edge in edges
        if edge.source in ids and edge.target in ids
    )
    return [*lines, "```", ""]


def render_page_markdown(page: Page) -> str:
    """A report of several runs as Markdown."""
    lines = [f"# {escape_markdown(page.name)}", ""]
    if page.description:
        lines += [escape_markdown(" ".join(page.description.split())), ""]
    for warning in page.warnings:
        lines += [f"> {escape_markdown(warning)}", ""]
    for section in page.sections:
        lines += section_lines(section)
    return visible("\n".join(lines).rstrip() + "\n")


def section_lines(section: Section, results: Results | None = None) -> list[str]:
    """A section as Markdown; `results` for the graphs and grids that only a run's own report has."""
    lines = [f"## {escape_markdown(section.title)}", "", escape_markdown(section.lead), ""]
    for block in section.blocks:
        if isinstance(block, Table):
            lines += _table(block)
        elif isinstance(block, Folded):
            lines += _table(block.table)
        elif isinstance(block, Heading):
            lines += [f"### {escape_markdown(block.title)}", ""]
            if block.text:
                lines += [escape_markdown(block.text), ""]
        elif isinstance(block, Prose):
            lines += [escape_markdown(block.text), ""]
        elif isinstance(block, GraphText) and results is not None:
            lines += _graphs(results)
        elif isinstance(block, Strips):
            labels = "; ".join(escape_markdown(f"{strip.label} {strip.text}".strip()) for strip in block.strips)
            what = "Images" if any(strip.frames for strip in block.strips) else "Curves"
            lines += [f"{what} are in the HTML report: {labels}.", ""]
        elif isinstance(block, PairSet):
            lines += [f"- {escape_markdown(words)}" for words in pair_words(block)]
            lines.append("")
        # Drawings are left out: what they show stands in the tables around them.
    if section.anchor == "effects" and results is not None:
        lines += _grids(results)
    return lines


def _graphs(results: Results) -> list[str]:
    lines = ["Declared:", "", *mermaid(results, declared_edges(results.graph))]
    if results.alignment is not None:
        lines += ["Recovered:", "", *mermaid(results, recovered_edges(results.graph, results.alignment))]
    return lines


def _grids(results: Results) -> list[str]:
    """Every component of every sweep, which HTML shows as a heat map."""
    lines: list[str] = []
    for grid in build_grids(results.estimates):
        if not grid.treatment or not grid.attributes:
            continue
        lines += [f"### {escape_markdown(grid.owner.name)}, {grid.direction or 'all components'}", ""]
        if len(grid.rows) <= _MOST_ROWS:
            lines += _table(effect_tables.grid_table(grid))
        else:
            lines += [f"All {len(grid.rows)} components are in results.json.", ""]
    return lines


def _table(table: Table) -> list[str]:
    heads = [escape_markdown(column.name) for column in table.columns]
    rules = ["---:" if column.numeric else "---" for column in table.columns]
    lines = [f"**{escape_markdown(table.caption)}**", "", _row(heads), _row(rules)]
    lines += [_row([escape_markdown(cell) for cell in row]) for row in table.rows]
    lines.append("")
    for note in table.notes:
        lines.append(f"- {escape_markdown(note)}")
    return [*lines, ""] if table.notes else lines


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(plain: str) -> str:
    return plain.replace("<", "&lt;")


def _mermaid_text(text: str) -> str:
    plain = " ".join(text.split()).replace("#", "#35;")
    for character, name in (('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        plain = plain.replace(character, name)
    return plain
