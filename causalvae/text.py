"""Text from specs, files and data, made safe to show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

# Control characters (C0 and C1, but for line ends and tabs), what reorders or hides text (soft hyphen, zero-width
# characters, marks and overrides of direction, variation and tag characters), line and paragraph separators, lone
# surrogates and noncharacters. See Unicode Technical Report 36 and CVE-2021-42574.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


_LONGEST = 299
_HALF = (_LONGEST - 5) // 2
_LONG = re.compile(f"\\S{{{_LONGEST + 1},}}")


def visible(text: str) -> str:
    r"""`text` with each control or invisible character replaced by its escape.

    Line ends and tabs are kept.

    Examples
    --------
    >>> visible("area\u202e")
    'area\\u202e'
    """
    return _HIDDEN.sub(lambda found: _escape(found.group()), text)


def one_line(text: str) -> str:
    r"""`text` with its line ends and tabs escaped too, and the middle of very long words left out.

    Examples
    --------
    >>> one_line("first\nsecond")
    'first\\nsecond'
    >>> len(one_line("x" * 10_000))
    299
    """
    plain = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    return _LONG.sub(lambda found: f"{found.group()[:_HALF]} ... {found.group()[-_HALF:]}", plain)


def escape_json(text: str) -> str:
    r"""JSON `text` with each control or invisible character as a JSON escape: the same value, safe to print."""
    return _HIDDEN.sub(lambda found: "".join(f"\\u{unit:04x}" for unit in _units(found.group())), text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _units(character: str) -> list[int]:
    """The UTF-16 code units of a character."""
    data = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[start : start + 2], "big") for start in range(0, len(data), 2)]


def html_table(title: str, rows: Iterable[tuple[str, ...]], headings: tuple[str, ...] = ()) -> str:
    """A table for a notebook, with escaped text.

    Examples
    --------
    >>> html_table("a < b", [("x", "1")])
    '<table><caption>a &lt; b</caption><tbody><tr><td>x</td><td>1</td></tr></tbody></table>'
    """

    def row(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(visible(cell))}</{tag}>" for cell in cells) + "</tr>"

    head = f"<thead>{row(headings, 'th')}</thead>" if headings else ""
    body = "".join(row(cells, "td") for cells in rows)
    return f"<table><caption>{escape(visible(title))}</caption>{head}<tbody>{body}</tbody></table>"
