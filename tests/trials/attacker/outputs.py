"""Whether an output shows hostile text as text: in a browser, in a terminal, in a table that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

_CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
_COLOURS: Final = re.compile("\x1b\\[[0-9;]*m|\x1b\\]8;[^\x1b]*\x1b\\\\")
_RAW: Final = re.compile(r"<(script|img|svg|iframe|style|title)\b|\]\(\s*javascript:", re.IGNORECASE)
_FOUND: Final = """() => ({
  ran: window.pwned || 0,
  handlers: [...document.querySelectorAll('*')].flatMap(e => [...e.attributes].filter(a => /^on/i.test(a.name))
    .map(a => e.tagName + ' ' + a.name)),
  odd: [...document.querySelectorAll('iframe,object,embed,base,link,form,meta[http-equiv]')]
    .filter(e => !(e.httpEquiv === 'Content-Security-Policy')).map(e => e.outerHTML.slice(0, 200)),
  images: [...document.querySelectorAll('img')].filter(e => !/^(data|blob):/.test(e.src))
    .map(e => e.outerHTML.slice(0, 200)),
  links: [...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))
    .filter(h => !/^(#|https?:|data:|blob:|file:|[\\w.%/-]+$)/.test(h)),
  scripts: [...document.scripts].map(s => s.src).filter(Boolean),
})"""


def browser_faults(paths: Iterable[Path]) -> list[str]:
    """What hostile text did to pages that were opened, hovered over and clicked in; empty where it did nothing."""
    from playwright.sync_api import sync_playwright

    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for path in paths:
            page = browser.new_page(accept_downloads=True)
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))  # type: ignore[misc]
            page.on("dialog", lambda dialog: dialog.dismiss())
            page.goto(path.resolve().as_uri())
            _use(page)
            found: dict[str, Any] = page.evaluate(_FOUND)
            faults += [f"{path.name}: {what}: {value}" for what, value in found.items() if value]
            faults += [
                f"{path.name}: asked for {url}" for url in asked if not url.startswith(("file:", "data:", "blob:"))
            ]
            page.close()
        browser.close()
    return faults


def _use(page: Any) -> None:
    """Open and point at whatever reacts."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for event in ("mouseover", "focus", "click", "keydown"):
        page.evaluate(
            "name => [...document.querySelectorAll('[data-unit],[data-key],[tabindex],button,th,summary,svg *')]"
            ".slice(0, 400).forEach(e => e.dispatchEvent(new Event(name, {bubbles: true})))",
            event,
        )
    page.wait_for_timeout(200)


def terminal_faults(name: str, text: str) -> list[str]:
    """Characters in what was printed that move the cursor, set titles, or reorder or hide text."""
    plain = _COLOURS.sub("", text)
    odd = {
        char for char in plain if unicodedata.category(char) in ("Cc", "Cs") or char in "\u202e\u202d\u2066\u2028\u200b"
    }
    return [f"{name}: prints U+{ord(char):04X}" for char in sorted(odd - {"\n"})]


def markdown_faults(path: Path) -> list[str]:
    """Markup in a Markdown file that a page would show as such: outside of code, and not escaped."""
    text = path.read_text(encoding="utf-8")
    outside = re.sub(r"(`+)(?:(?!\1).)*?\1", "", re.sub(r"\\.", "", text))
    return [f"{path.name}: {found.group()}" for found in _RAW.finditer(outside)]


def csv_faults(name: str, text: str) -> list[str]:
    """Cells of text that a spreadsheet takes for a formula."""

    def is_number(cell: str) -> bool:
        try:
            float(cell)
        except ValueError:
            return False
        return True

    rows = csv.reader(io.StringIO(text, newline=""))
    odd = {cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_number(cell)}
    return [f"{name}: {cell[:60]!r}" for cell in sorted(odd) if cell not in ("-", "+")]
