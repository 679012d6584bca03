"""A report as one HTML file that opens anywhere, offline."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import metadata, resources
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from causalvae.report.blocks import Block, Document, Page, VerdictCard
from causalvae.report.fit import MOST_BYTES, fit_sections, shrink
from causalvae.report.heatmap import palette_css
from causalvae.report.numbers import Written
from causalvae.text import visible

_CLASSES = {
    "✓ supported": "is-good",
    "✓ passed": "is-good",
    "✓ not rejected": "is-good",
    "✗ missing": "is-bad",
    "✗ failed": "is-bad",
    "✗ rejected": "is-bad",
    "✗ refuted": "is-bad",
    "+ spurious": "is-bad",
    "? undecided": "is-open",
    "? inconclusive": "is-open",
}


_MARKS: dict[str, tuple[str, str]] = {"✓": ("good", "right"), "✗": ("bad", "wrong"), "+": ("bad", "wrong"),
          "?": ("open", "not decided")}  # fmt: skip


def render_html(document: Document, most: int = MOST_BYTES) -> str:
    """The whole report as one HTML page; everything that a spec wrote is escaped, and what cannot be seen is shown.

    Parameters
    ----------
    document : Document
    most : int
        Bytes. A page that would be larger omits its largest parts and says so.
    """
    results = document.results
    title = f"{results.name} – causalvae report"  # noqa: RUF001

    def render(shown: Document) -> str:
        return _render(
            "report.html.j2", document=shown, kind="report", name=results.name, answer=shown.answer, title=title,
            question=results.question, warnings=results.warnings, sections=shown.sections, glossary=shown.glossary,
        )  # fmt: skip

    return _fitted(document, render, most)


def render_page(page: Page, most: int = MOST_BYTES) -> str:
    """A report of several runs as one HTML page, escaped and cut as `render_html` does."""
    title = f"{page.name} – causalvae {page.kind}"  # noqa: RUF001

    def render(shown: Page) -> str:
        return _render(
            "page.html.j2", page=shown, kind=page.kind, name=page.name, answer=page.answer, title=title,
            question=page.description, warnings=page.warnings, sections=shown.sections, glossary=page.glossary,
        )  # fmt: skip

    return _fitted(page, render, most)


P = TypeVar("P", Page, Document)


def _fitted(page: P, render: Callable[[P], str], most: int) -> str:
    page = replace(page, sections=fit_sections(page.sections))
    text = render(page)
    excess = len(text.encode()) - most
    return text if excess <= 0 else render(shrink(page, excess, _size))


def _size(block: Block | VerdictCard) -> int:
    module: Any = _environment().get_template("macros.html.j2").module
    return len(str(module.render(block)).encode())


def _render(template: str, **content: object) -> str:
    page = _environment().get_template(template)
    return visible(page.render(css=_css(), script=_script(), policy=_policy(), version=_version(), **content))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("causalvae.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["cell_class"] = lambda cell: _CLASSES.get(cell, "")
    environment.filters["cell_values"] = _cell_values
    environment.filters["mark_class"] = lambda mark: _MARKS.get(mark, ("plain", ""))[0]
    environment.filters["mark_words"] = lambda mark: _MARKS.get(mark, ("plain", ""))[1]
    return environment


def _cell_values(cell: str) -> Markup | str:
    """The attribute that holds the numbers of a cell, for the page's script."""
    values = cell.values if isinstance(cell, Written) else ()
    numbers = " ".join(f"{value:.6g}" for value in values)
    return Markup(' data-v="{}"').format(numbers) if numbers else ""


@cache
def _script() -> Markup:
    """The page's own script; its text depends on nothing that was run."""
    text = resources.files("causalvae.report").joinpath("templates/report.js").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  a file of this package


@cache
def _policy() -> str:
    """A content security policy under which nothing is loaded and no script runs but the page's own."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _css() -> Markup:
    sheet = resources.files("causalvae.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    return Markup(f"{sheet}\n{palette_css()}")  # noqa: S704  a file of this package and our own colours


def _version() -> str:
    try:
        return metadata.version("causalvae")
    except metadata.PackageNotFoundError:
        return ""
