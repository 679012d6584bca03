"""What a report is made of: sections, and in them prose, tables, drawings and strips, the same for every format."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Pairs of one intervention, or of an edge of the graph, which is opened by its anchor."""

    anchor: str
    title: str
    text: str
    views: tuple[PairView, ...]


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


Block = Figure | FigureRow | Strips | PairSet | Heading | Prose | Folded | GraphText | Table


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

    verdict: Verdict
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


@dataclass(frozen=True)
class Link:
    """A page beside this one."""

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
    tally: tuple[tuple[str, str], ...]
    cards: tuple[VerdictCard, ...]
    sections: tuple[Section, ...]
    glossary: tuple[Term, ...]
