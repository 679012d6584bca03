"""A report as one HTML file that opens anywhere, offline."""

from __future__ import annotations

from functools import cache
from importlib import metadata, resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from causalvae.report.blocks import Document, Page
from causalvae.report.heatmap import palette_css
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


def render_html(document: Document) -> str:
    """The whole report as one HTML page; everything that a spec wrote is escaped, and what cannot be seen is shown."""
    page = _environment().get_template("report.html.j2")
    return visible(page.render(document=document, results=document.results, css=_css(), version=_version()))


def render_page(page: Page) -> str:
    """A report of several runs as one HTML page, escaped as `render_html` does."""
    template = _environment().get_template("page.html.j2")
    return visible(template.render(page=page, css=_css(), version=_version()))


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
    return environment


@cache
def _css() -> Markup:
    sheet = resources.files("causalvae.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    return Markup(f"{sheet}\n{palette_css()}")  # noqa: S704  a file of this package and our own colours


def _version() -> str:
    try:
        return metadata.version("causalvae")
    except metadata.PackageNotFoundError:
        return ""
