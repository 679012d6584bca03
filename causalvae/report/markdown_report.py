"""A report as Markdown: the same tables and words, the graph as a mermaid block, images omitted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from causalvae.plan.owner import Owner
from causalvae.report import effect_tables, tables
from causalvae.report.blocks import (
    Answer,
    AnswerLine,
    Document,
    Folded,
    GraphText,
    Heading,
    HeatTable,
    Page,
    PairSet,
    Prose,
    Section,
    Strips,
)
from causalvae.report.effect_grids import Grid, build_grids
from causalvae.report.glossary import Term
from causalvae.report.graph_svg import DrawnEdge, declared_edges, recovered_edges
from causalvae.report.pair_section import pair_words
from causalvae.report.sweep_words import listed_words, summary_of
from causalvae.report.tables import Table
from causalvae.results import Results
from causalvae.text import visible

# GitHub refuses comments of more than 65,536 characters.
MOST_CHARACTERS = 65_000
_NAMES_LEFT_OUT = 800
_MOST_ROWS, _MOST_COMPONENTS = 60, 400
_SPECIAL = re.compile(r"([\\`*|~$])")
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_LINE_START = re.compile(r"^(\s*)([#>+=-]|\d+[.)](?=\s|$))")
_ARROWS = {
    "declared": "-->",
    "supported": "==>",
    "missing": '-. "✗ missing" .->',
    "spurious": '-- "+ spurious" -->',
    "undecided": '-. "? undecided" .->',
    "untested": "-.->",
}


def render_markdown(document: Document) -> str:
    """The whole report as GitHub-flavoured Markdown; what cannot be seen is shown by its escape.

    It fits a comment: the answer is open, all else is folded, and what has no place is named.
    """
    results = document.results
    lines = _head(results.name, results.question, document.answer, results.warnings)
    if document.cards:
        lines += _table(tables.verdict_table(results.verdicts).filled)
    parts = [] if not document.cards else [("Verdicts", _verdicts(document))]
    for section in document.sections:
        text = section_lines(section, results)
        if section.anchor == "graph":
            lines += text
        else:
            parts.append((section.title, text))
    parts.append(("How to read this", _glossary(document.glossary)))
    return _assemble(lines, parts)


def _head(name: str, question: str, answer: Answer, warnings: Sequence[str]) -> list[str]:
    lines = [f"# {escape_markdown(name)}", ""]
    lines += [f"**Question.** {escape_markdown(question)}", "", "**Answer.**", "", *_answer(answer.found)]
    if answer.certain:
        lines += ["**How certain it is.**", "", *_answer(answer.certain)]
    if warnings:
        lines += ["**⚠ Warnings: read these first**", ""]
        lines += [f"- {escape_markdown(warning)}" for warning in warnings]
        lines.append("")
    return lines


def _answer(found: Sequence[AnswerLine]) -> list[str]:
    lines = []
    for line in found:
        mark = "" if line.mark == "•" else f"{line.mark} "
        status = f"**{line.status}**: " if line.status else ""
        lines.append(f"- {mark}{status}{escape_markdown(' '.join((line.text, *line.details)))}")
    return [*lines, ""]


def _verdicts(document: Document) -> list[str]:
    lines = ["## Verdicts", ""]
    for card in document.cards:
        verdict = card.verdict
        lines += [f"### {escape_markdown(card.claim)}: {card.words}", "", f"**{escape_markdown(card.reason)}**", ""]
        lines += [
            f"Hypothesis {escape_markdown(verdict.hypothesis)}; treatment {escape_markdown(verdict.treatment)}; "
            f"circuit {escape_markdown(card.circuit)}; outcome {escape_markdown(card.outcome)}; Holm-adjusted p for "
            f"{_text(card.p_support)}, against {_text(card.p_refute)}; alpha {card.alpha}"
            + (f"; about {card.needed} pairs would probably decide." if card.needed else "."),
            "",
        ]
        lines += _table(tables.test_table(verdict.tests).filled)
        for finding in card.findings:
            lines += [f"*{escape_markdown(finding.title)}.* {escape_markdown(finding.text)}", ""]
            if finding.table is not None:
                lines += _table(finding.table)
    return lines


def _glossary(terms: Sequence[Term]) -> list[str]:
    lines = ["## How to read this", ""]
    for term in terms:
        formula = f" *{escape_markdown(term.formula)}*." if term.formula else ""
        meaning = f" {escape_markdown(term.meaning)}" if term.meaning else ""
        lines.append(f"- **{escape_markdown(term.title)}.**{formula}{meaning}")
    return [*lines, ""]


def _assemble(head: list[str], parts: Sequence[tuple[str, list[str]]]) -> str:
    """`head`, and each part folded, as many as a comment holds."""
    text = visible("\n".join(head))[:MOST_CHARACTERS]
    left: list[str] = []
    for title, lines in parts:
        folded = ["", f"<details><summary>{escape_markdown(title)}</summary>", "", *lines, "</details>"]
        part = visible("\n".join(folded))
        if len(text) + len(part) <= MOST_CHARACTERS - _NAMES_LEFT_OUT:
            text += part + "\n"
        else:
            left.append(title)
    if left:
        names = escape_markdown(", ".join(left))[: _NAMES_LEFT_OUT - 100]
        text += visible(f"\nToo long for a comment, and in the HTML report: {names}.\n")
    return text


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
    lines = _head(page.name, page.description, page.answer, page.warnings)
    return _assemble(lines, [(section.title, section_lines(section)) for section in page.sections])


def section_lines(section: Section, results: Results | None = None) -> list[str]:
    """A section as Markdown; `results` for the graphs and grids that only a run's own report has."""
    lines = [f"## {escape_markdown(section.title)}", "", escape_markdown(section.lead), ""]
    for block in section.blocks:
        if isinstance(block, Table):
            lines += _table(block)
        elif isinstance(block, Folded) or (isinstance(block, HeatTable) and section.anchor != "effects"):
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
        # Drawings are omitted: what they show stands in the tables around them.
    if section.anchor == "effects" and results is not None:
        lines += _grids(results)
    return lines


def _graphs(results: Results) -> list[str]:
    lines = ["Declared:", "", *mermaid(results, declared_edges(results.graph))]
    if results.alignment is not None:
        lines += ["Recovered:", "", *mermaid(results, recovered_edges(results.graph, results.alignment))]
    return lines


def _grids(results: Results) -> list[str]:
    """The largest effect of every component of every sweep; HTML has all of them."""
    lines: list[str] = []
    grids: dict[Owner, list[Grid]] = {}
    for grid in build_grids(results.estimates):
        if grid.treatment and grid.attributes:
            grids.setdefault(grid.owner, []).append(grid)
    for owner, held in grids.items():
        table = effect_tables.largest_table(held)
        lines += [f"### {escape_markdown(owner.name)}", ""]
        for grid in held:
            if (sweep := summary_of(results.sweeps, owner, grid.direction)) is not None:
                lines += [escape_markdown(listed_words(sweep)), ""]
        if len(table.rows) <= _MOST_COMPONENTS:
            lines += _table(table, _MOST_COMPONENTS)
        else:
            lines += [f"The {len(table.rows)} components are in results.json.", ""]
    return lines


def _table(table: Table, most: int = _MOST_ROWS) -> list[str]:
    heads = [escape_markdown(column.name) for column in table.columns]
    rules = ["---:" if column.numeric else "---" for column in table.columns]
    lines = [f"**{escape_markdown(table.caption)}**", "", _row(heads), _row(rules)]
    lines += [_row([escape_markdown(cell) for cell in row]) for row in table.rows[:most]]
    lines.append("")
    if table.rows[most:]:
        lines += [f"{len(table.rows) - most} more rows are in the HTML report.", ""]
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
