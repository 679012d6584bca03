"""What a report is made of: sections, and in them prose, tables, drawings and strips, the same for every format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from causalvae.circuits.types import Verdict
from causalvae.report.circuit_findings import Finding
from causalvae.report.glossary import Term
from causalvae.report.tables import Table
from causalvae.results import Results


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption; `wide` ones take the whole column."""

    drawing: Markup
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class FigureRow:
    """Drawings side by side, with a legend of (drawing, words) and what a text-only reader gets instead."""

    figures: tuple[Figure, ...]
    legend: tuple[tuple[Markup, str], ...] = ()
    kind: str = "pair"


@dataclass(frozen=True)
class Panel:
    """What a reader opens by its anchor, from a drawing or from a list; `mark` is the symbol of its status."""

    anchor: str
    title: str
    mark: str
    text: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Spot:
    """A place of a drawing that opens a panel, in percent of its width and height."""

    anchor: str
    label: str
    x: float
    y: float


@dataclass(frozen=True)
class OpenedDrawing:
    """A drawing whose parts open panels below it.

    Parameters
    ----------
    drawing : Markup
        Parts with the attribute ``data-opens`` open the panel of that anchor.
    caption : str
    spots : tuple of Spot
        Links over the drawing, for keyboards and for pages without scripts.
    panels : tuple of Panel
    legend : tuple of (Markup, str)
    """

    drawing: Markup
    caption: str
    spots: tuple[Spot, ...]
    panels: tuple[Panel, ...]
    legend: tuple[tuple[Markup, str], ...] = ()


@dataclass(frozen=True)
class HeatTable:
    """A table of effect sizes whose cells are shaded and whose rows open panels.

    Parameters
    ----------
    table : Table
        The first column names the components.
    shades : tuple of tuple of str
        The class of each cell's shade; empty where it has none.
    panels : tuple of (Panel or None)
        What each row opens.
    summary : str
        What a reader opens to see it; empty for a table that is seen at once.
    """

    table: Table
    shades: tuple[tuple[str, ...], ...]
    panels: tuple[Panel | None, ...]
    summary: str = ""


@dataclass(frozen=True)
class Strip:
    """A traversal: (quantile, base64 PNG or empty) from left to right, or a drawing.

    Also what it does, in words and as curves.
    """

    label: str
    frames: tuple[tuple[str, str], ...]
    text: str = ""
    drawing: Markup | None = None
    curves: tuple[Markup, ...] = ()


@dataclass(frozen=True)
class Strips:
    """All traversals."""

    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class PairView:
    """One pair: why it is shown, what is changed, how far that moves the outcome, and inputs and outputs."""

    title: str
    changed: str
    effect: str
    drawing: Markup


@dataclass(frozen=True)
class PairSet:
    """Pairs of one intervention, or of an edge of the graph, which its anchor opens; `level` is the heading's."""

    anchor: str
    title: str
    text: str
    views: tuple[PairView, ...]
    level: int = 3


@dataclass(frozen=True)
class Heading:
    """A heading within a section, and the sentence below it."""

    title: str
    text: str = ""


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Folded:
    """Something long that a reader opens when it is wanted."""

    summary: str
    table: Table


@dataclass(frozen=True)
class GraphText:
    """The declared and the recovered graph for formats without drawings: built by the format itself."""


Block = Figure | FigureRow | OpenedDrawing | HeatTable | Strips | PairSet | Heading | Prose | Folded | GraphText | Table

Mark = Literal["✓", "✗", "?", "•"]


@dataclass(frozen=True)
class AnswerLine:
    """One thing that was found.

    Parameters
    ----------
    mark : {"✓", "✗", "?", "•"}
        Right, wrong, not decided, or nothing that could be wrong.
    text : str
        In a sentence.
    status : str
        Words next to it; empty where there are none.
    details : tuple of str
        The numbers that it rests on.
    anchor : str
        Where on the page there is more.
    drawing : Markup or None
    """

    mark: Mark
    text: str
    status: str = ""
    details: tuple[str, ...] = ()
    anchor: str = ""
    drawing: Markup | None = None


@dataclass(frozen=True)
class Answer:
    """The first screen: what was found, and how certain it is."""

    found: tuple[AnswerLine, ...]
    certain: tuple[AnswerLine, ...]


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Parameters
    ----------
    anchor, title : str
    lead : str
        What the section shows and how to read it.
    blocks : tuple of Block
    """

    anchor: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class TestView:
    """One test of a verdict, as text and drawing."""

    name: str
    bound: str
    estimate: str
    p_support: str
    p_refute: str
    pairs: str
    needed: str
    note: str
    drawing: Markup | None


@dataclass(frozen=True)
class VerdictCard:
    """A hypothesis and what became of it; `outcome` names a vector's components too."""

    anchor: str
    verdict: Verdict
    claim: str
    words: str
    reason: str
    circuit: str
    outcome: str
    tests: tuple[TestView, ...]
    p_support: str
    p_refute: str
    alpha: str
    needed: str
    findings: tuple[Finding, ...]
    pictures: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Link:
    """A page next to this one."""

    name: str
    path: str
    text: str = ""


@dataclass(frozen=True)
class Page:
    """A report of several runs.

    Parameters
    ----------
    kind : str
        ``comparison`` or ``study``.
    name, description : str
    answer : Answer
    warnings : tuple of str
    sections : tuple of Section
    links_title, links_lead : str
    links : tuple of Link
        The reports of the single runs, by paths relative to the page's.
    glossary : tuple of Term
    """

    kind: str
    name: str
    description: str
    answer: Answer
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    links_title: str
    links_lead: str
    links: tuple[Link, ...]
    glossary: tuple[Term, ...]


@dataclass(frozen=True)
class Document:
    """A whole report."""

    results: Results
    answer: Answer
    cards: tuple[VerdictCard, ...]
    sections: tuple[Section, ...]
    glossary: tuple[Term, ...]
