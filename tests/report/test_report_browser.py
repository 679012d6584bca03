"""The page in a browser: what is selected opens, tables sort and filter, the address holds the state."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it, or name it in CHROMIUM")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


class Seen(list[str]):
    """What a page complained of, and what it tried to load."""


def open_page(browser: Browser, path: Path, state: str = "", **context: Any) -> tuple[Page, Seen]:
    page = browser.new_context(viewport={"width": 1200, "height": 900}, **context).new_page()
    seen = Seen()
    page.on("console", lambda message: seen.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda request: seen.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)  # noqa: E501  # fmt: skip
    page.goto(path.as_uri() + state)
    return page, seen


@pytest.fixture(scope="module")
def report(plain_files: dict[str, Path]) -> Path:
    return plain_files["html"]


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    found, seen = open_page(browser, report)
    yield found
    assert seen == []
    found.context.close()


def map_of(page: Page) -> Any:
    """The map of the latents' perturbation, which is seen at once."""
    return page.locator("#perturbations .heat-table table").first


def first_cells(table: Any) -> list[str]:
    return list(table.locator("tbody tr:not([hidden]) th").all_inner_texts())


def test_an_edge_opens_its_tests_and_can_be_linked(page: Page) -> None:
    panel = page.locator("#edge-scale-area")
    assert not panel.locator("table").is_visible()
    page.locator("g.edge[data-opens=edge-scale-area] .hit").dispatch_event("click")
    assert panel.locator("table").is_visible()
    assert "1.02 [0.92, 1.12]" in panel.inner_text()
    assert page.evaluate("location.hash") == "#edge-scale-area"
    page.locator("g.edge[data-opens=edge-x-centroid_x] .hit").dispatch_event("click")
    assert not panel.locator("table").is_visible(), "one edge is open at a time"
    assert page.evaluate("location.hash") == "#edge-x-centroid_x"


def test_the_mark_of_an_edge_is_where_the_pointer_finds_it(page: Page) -> None:
    mark = page.locator("a.spot[href='#edge-shape-is_heart']")
    box = mark.bounding_box()
    assert box is not None
    states = page.locator("g.states title").all_text_contents()
    place = next(k for k, words in enumerate(states) if words.startswith("shape → is_heart"))
    disc = page.locator("g.states").nth(place).bounding_box()
    assert disc is not None
    assert abs(disc["x"] + disc["width"] / 2 - box["x"] - box["width"] / 2) < 4
    assert abs(disc["y"] + disc["height"] / 2 - box["y"] - box["height"] / 2) < 4
    mark.click()
    assert page.locator("#edge-shape-is_heart table").is_visible()


def test_the_keyboard_opens_an_edge(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main", "the first tab stop skips to the results"
    page.locator("a.spot[href='#edge-scale-area']").focus()
    page.keyboard.press("Enter")
    assert page.locator("#edge-scale-area table").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert not page.locator("#edge-scale-area table").is_visible()


def test_a_map_sorts_by_number_and_opens_a_component(page: Page) -> None:
    table = map_of(page)
    assert first_cells(table)[0] == "latent[0]"
    table.locator("thead button", has_text="area").first.click()
    assert first_cells(table)[0] == "latent[3]", "the largest comes first"
    assert table.locator("thead th").nth(1).get_attribute("aria-sort") == "descending"
    table.locator("thead button", has_text="area").first.click()
    assert first_cells(table)[-1] == "latent[3]"
    table.locator("tbody a", has_text="latent[3]").click()
    panel = page.locator(page.evaluate("location.hash").split("?")[0])
    assert panel.locator("svg").is_visible()
    assert "in the circuit of" in panel.inner_text()


def test_a_cell_of_a_large_sweep_opens_its_component(page: Page) -> None:
    cell = page.locator("#effects g[data-opens]", has_text="latent[3]").first
    opens = cell.get_attribute("data-opens")
    assert not page.locator(f"#{opens} svg").is_visible()
    cell.locator("path").first.dispatch_event("click")
    assert page.locator(f"#{opens} svg").is_visible(), "its panel opens with all that holds it"
    assert page.evaluate("location.hash") == f"#{opens}"


def test_a_filter_keeps_what_fits(page: Page) -> None:
    tools = page.locator("#perturbations .tools").first
    tools.locator("input").fill(">1")
    assert set(first_cells(map_of(page))) == {"latent[0]", "latent[3]", "latent[5]"}
    assert tools.locator("[role=status]").inner_text() == "3 of 10 rows"
    tools.locator("input").fill("latent[7]")
    assert first_cells(map_of(page)) == ["latent[7]"]
    tools.locator("input").fill("")
    assert len(first_cells(map_of(page))) == 10
    assert "find" not in page.evaluate("location.hash")


def test_the_address_holds_the_state(browser: Browser, page: Page, report: Path) -> None:
    page.locator("g.edge[data-opens=edge-scale-area] .hit").dispatch_event("click")
    map_of(page).locator("thead button", has_text="centroid_x").first.click()
    page.locator("#perturbations .tools input").first.fill("latent")
    state = page.evaluate("location.hash")
    again, seen = open_page(browser, report, state)
    assert first_cells(map_of(again)) == first_cells(map_of(page))
    assert first_cells(map_of(again))[0] == "latent[5]"
    assert again.locator("#perturbations .tools input").first.input_value() == "latent"
    assert again.locator("#edge-scale-area table").is_visible()
    again.goto(report.as_uri() + "#nothing?sort=99:1a&find=x&sort=1:0d&sort=1:77d")
    assert seen == []
    again.context.close()


def test_a_table_downloads_as_csv_with_intervals(page: Page) -> None:
    with page.expect_download() as download:
        page.locator("#perturbations .tools button", has_text="CSV").first.click()
    assert download.value.suggested_filename == "Effect-size-of-each-component-on-each-attribute-sd-.csv"
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert rows[0][:4] == ["Component", "area", "area lower", "area upper"]
    assert {len(row) for row in rows} == {16}
    held = {row[0]: row[1:4] for row in rows[1:]}
    assert [float(cell) for cell in held["latent[3]"]] == pytest.approx([1.1, 0.99, 1.21])


@pytest.mark.parametrize("width", [400, 1200])
def test_nothing_is_cut_without_a_cue(browser: Browser, report: Path, width: int) -> None:
    page, seen = open_page(browser, report, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    page.wait_for_timeout(50)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    uncued = page.evaluate(
        """[...document.querySelectorAll("body *")].filter((part) =>
             part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX !== "visible" &&
             !part.matches(".hidden, input") && !part.classList.contains("is-cut") && !part.closest("svg"))
           .map((part) => part.outerHTML.slice(0, 80))"""
    )
    assert uncued == []
    assert seen == []
    page.context.close()


def test_print_and_dark_pages_can_be_read(browser: Browser, report: Path) -> None:
    page, _ = open_page(browser, report, color_scheme="dark")
    contrast = """(part) => {
      const line = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
      const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(line);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (at) => getComputedStyle(at).backgroundColor;
      let back = part;
      while (/, 0\\)$|transparent/.test(ground(back))) back = back.parentElement;
      const [a, b] = [light(getComputedStyle(part).color), light(ground(back))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }"""
    for selector in (".question", ".found .soft", ".badge-refuted", ".heat-table td.s19", ".heat-table td.s1", "nav a"):
        assert page.locator(selector).first.evaluate(contrast) > 4.5, selector
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 23, 28)"
    page.emulate_media(media="print", color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".tools").first.is_visible()
    # The width of a sheet of A4 at 96 dots an inch, without its margins.
    page.set_viewport_size({"width": 718, "height": 1000})
    wide = page.evaluate(
        """[...document.querySelectorAll("table")].filter((t) => t.getBoundingClientRect().right > innerWidth + 1)
           .map((t) => t.caption.textContent)"""
    )
    assert wide == []
    page.context.close()


def test_the_page_is_whole_without_scripts(browser: Browser, report: Path) -> None:
    page, _ = open_page(browser, report, java_script_enabled=False)
    assert page.locator("#edge-scale-area summary").is_visible()
    page.locator("#edge-scale-area summary").click()
    assert page.locator("#edge-scale-area table").is_visible()
    assert len(first_cells(map_of(page))) == 10
    assert page.locator(".tools").count() == 0
    page.context.close()


def test_hostile_text_runs_nothing(browser: Browser, hostile_files: dict[str, Path]) -> None:
    page, seen = open_page(browser, hostile_files["html"])
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.locator("g.edge[data-opens] .hit").first.dispatch_event("click")
    page.wait_for_timeout(50)
    assert seen == []
    assert dialogs == []
    page.context.close()
