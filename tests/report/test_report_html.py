from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from causalvae.plan.owner import Owner
from causalvae.report.document import build_document
from causalvae.report.html_report import render_html
from causalvae.results import GraphSummary, Results
from tests.report.synthetic_results import HIDDEN, HOSTILE

VOID = {"meta", "br", "img", "link", "hr", "input"}
# Elements that may hold no other of their kind, or nothing at all.
LOADING = {"link", "iframe", "object", "embed", "video", "audio", "base", "form"}


class Page(HTMLParser):
    """Checks that every tag is closed in order, and keeps what a browser would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"a doubled attribute in <{tag}>"
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        place = self.stack[-1] if self.stack else ""
        kept = {"script": self.scripts, "style": self.styles}.get(place, self.words)
        kept.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(plain_files: dict[str, Path]) -> Page:
    return Page(plain_files["html"].read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hostile_page(hostile_files: dict[str, Path]) -> Page:
    return Page(hostile_files["html"].read_text(encoding="utf-8"))


def test_order_of_what_a_reader_meets(page: Page) -> None:
    titles = [
        "dsprites-scale", "Question", "Answer", "Warnings: read these first",
        "Each hypothesis is tested against its bounds",
        "Factors are on the left", "One sample decoded", "How far an intervention moves",
        "A part of the latent is set", "The total effect of the treatment, split",
        "For every pair of a declared factor",
        "Readouts are compared with",
        "The information of each latent", "What was run, with which", "x is the base input",
    ]  # fmt: skip
    places = [page.text.find(title) for title in titles]
    assert -1 not in places
    assert places == sorted(places)


def test_headings_do_not_skip_a_level(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_every_table_has_a_caption_and_every_picture_words(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") > 10
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(
        attributes.get("role") == "img" and attributes.get("aria-label")
        for tag, attributes in page.tags
        if tag == "svg"
    )
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {f"#{name}" for name in ids} >= set(links)


def test_statuses_are_told_in_words_and_symbols(page: Page) -> None:
    for words in ("✓ supported", "✗ refuted", "? inconclusive", "✗ missing", "+ spurious", "? undecided", "✓ passed"):
        assert words in page.text


def test_numbers_are_written_as_readers_expect(page: Page) -> None:
    assert "0.92 [0.90, 0.94]" in page.text
    assert "p for < 0.001" in page.text
    assert "about 1,420 needed" in page.text
    assert "nan" not in page.text.lower().split()
    assert "None" not in page.text.split()


@pytest.mark.parametrize("name", ["plain_files", "hostile_files"])
def test_nothing_is_loaded_from_elsewhere(name: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(name)["html"].read_text(encoding="utf-8")
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in LOADING
        for key in ("src", "href", "xlink:href", "action", "srcset", "data", "poster", "background"):
            value = attributes.get(key)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), (tag, key, value)
        assert "url(" not in (attributes.get("style") or "")
    for style in page.styles:
        assert "url(" not in style
        assert "@import" not in style
    for script in page.scripts:
        for word in ("fetch", "XMLHttpRequest", "import(", "http:", "https:", "WebSocket", "eval("):
            assert word not in script


def test_hostile_strings_stay_text(hostile_page: Page, page: Page) -> None:
    assert HOSTILE in hostile_page.text, "what the spec says is shown"
    assert len(hostile_page.scripts) == len(page.scripts) == 1
    assert hostile_page.scripts == page.scripts
    images = [attributes for tag, attributes in hostile_page.tags if tag == "img"]
    assert all(set(attributes) == {"alt", "src"} for attributes in images)
    for tag, attributes in hostile_page.tags:
        assert not [key for key in attributes if key.startswith("on")], tag


@pytest.mark.parametrize("kind", ["html", "markdown", "json"])
def test_no_hidden_character_reaches_a_report(kind: str, hostile_files: dict[str, Path]) -> None:
    text = hostile_files[kind].read_text(encoding="utf-8")
    assert not set(HIDDEN) & set(text)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
    assert r"\u202e\u2066\u200b" in text.replace("\\\\", "\\"), "what is hidden is shown by its escape"


@pytest.mark.parametrize("name", ["plain_files", "hostile_files"])
def test_every_drawing_is_valid_xml(name: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(name)["html"].read_text(encoding="utf-8")
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) > 25
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        numbers = [float(part) for part in root.attrib["viewBox"].split()]
        assert numbers[2] > 0
        assert numbers[3] > 0


def test_every_unit_of_a_sweep_has_a_cell(plain: Results, page: Page) -> None:
    tooltips = " ".join(page.words)
    swept = {e.component.label for e in plain.estimates if e.owner == Owner.intervention("patch_everything")}
    assert len(swept) > 300
    missing = [component for component in swept if component not in tooltips]
    assert missing == []


def test_size_with_hundreds_of_components(plain_files: dict[str, Path]) -> None:
    assert plain_files["html"].stat().st_size < 1_000_000


def test_dark_print_and_narrow_layouts_are_styled(page: Page) -> None:
    style = " ".join(page.styles)
    for words in ("prefers-color-scheme:dark", "@media print", "max-width:640px", "image-rendering:pixelated"):
        assert words in style


def test_an_image_that_is_no_base64_is_left_out(plain: Results) -> None:
    broken = replace(plain.traversals[0], images=('"><script>', *plain.traversals[0].images[1:]))
    page = Page(render_html(build_document(replace(plain, traversals=(broken,)))))
    assert "no image" in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == len(broken.images) - 1


def test_a_run_with_nothing_in_it_still_renders() -> None:
    empty = Results(
        "nothing", "", "", "", (), (), (), None, GraphSummary((), (), (), {}), (), (), (), (), {}, {}, {}, {}
    )
    page = Page(render_html(build_document(empty)))
    assert "Provenance" in page.text
    assert "Mediation" not in page.text


def test_the_glossary_explains_every_quantity_of_the_report(page: Page) -> None:
    glossary = page.text[page.text.rindex("How to read this") :]
    for title in ("Natural indirect effect (NIE)", "Effect size", "Off-target effect", "Fisher's C", "KL of a latent"):
        assert title in glossary
    assert "Y(x; c ← c(x′)) − Y(x)" in glossary  # noqa: RUF001
