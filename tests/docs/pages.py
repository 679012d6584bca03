"""The pages of the documentation, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!-- (?P<key>not run|exits with|line of): (?P<value>(?:(?!-->).)*?) -->\s*\Z", re.DOTALL)


def name_of(path: Path) -> str:
    """The page's path from the root."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Parameters
    ----------
    page : Path
    line : int
        Where it begins.
    language, title : str
        Of its fence; the title is the name of the file that it shows.
    text : str
    remark : tuple of str
        Key and value of the comment above it, which only the tests read: ``not run`` and the reason,
        ``exits with`` and a code, ``line of`` and the file in which it takes the place of the line with its key.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str
    remark: tuple[str, str]

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Its command lines, without prompts and comments."""
        joined = self.text.replace("\\\n", " ")
        lines = (re.sub(r"\s+#.*", "", line.removeprefix("$ ")).strip() for line in joined.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    return tuple(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        language, _, rest = match["info"].partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        remark = _COMMENT.search(text[: match.start()])
        yield Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            language,
            title[1] if title else "",
            match["text"],
            (remark["key"], " ".join(remark["value"].split())) if remark else ("", ""),
        )


def every_block(*languages: str) -> list[Block]:
    """The blocks of all pages in one of `languages`."""
    return [block for page in PAGES for block in blocks(page) if block.language in languages]


@cache
def prose(page: Path) -> str:
    """A page without its blocks and inline code, in which links are looked for."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"(`+)(?!`).+?\1", "", text, flags=re.DOTALL)


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", text, flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return frozenset(f"{slug}-{k}" if k else slug for slug, last in found.items() for k in range(last + 1))
