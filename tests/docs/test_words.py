"""Pages and messages are in plain words, name each term as docs/terms.md does, and have tables that fit a page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, name_of, prose

# Words that readers stumbled over, and what to write instead.
PLAIN = {
    "anew": "again",
    "as often as not": "often",
    "beside": "next to, in addition to",
    "besides": "in addition to",
    "by turns": "alternately",
    "forth": "forward",
    "hence": "so",
    "in the place of": "instead of",
    "leave out": "omit, exclude",
    "leaves out": "omits, excludes",
    "leaving out": "without",
    "left out": "omitted, excluded; by default",
    "likewise": "also",
    "mended": "corrected",
    "nil": "zero",
    "once more": "again",
    "over and over": "repeatedly",
    "reckoned": "computed",
    "seldom": "rarely",
    "so many": "this number of",
    "thereby": "so",
    "thus": "so",
    "told": "supervised, given, said",
    "told apart": "distinguished",
    "turned away": "orthogonal",
    "whatever": "for any",
    "wherever": "where",
    "whilst": "while",
}
_OLD = re.compile(rf"\b(?:{'|'.join(sorted(PLAIN, key=len, reverse=True))})\b", re.IGNORECASE)
# Pages that other scripts write.
_MADE = {"docs/quality.md", "docs/robustness.md"}
# Shipped weights hold a copy of the spec that they were trained by, so its words stay as they were.
_RECORDED = {
    "specs/train/dsprites_disentangled.yaml",
    "specs/train/morphomnist_vae.yaml",
    "specs/train/shapes_hue.yaml",
    "examples/quantum/train.yaml",
}
_MOST_COLUMNS = 9
# The matrix of networks and data is one table by design.
_WIDE = {"docs/support.md", "docs/coverage.md", "docs/neighbours-grace.md"}


def old_words(text: str) -> set[str]:
    return {match.lower() for match in _OLD.findall(" ".join(text.split()))}


def messages(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a module that a reader may see: literals of three words or more that are no docstrings."""
    tree = ast.parse(source)
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = " ... ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = "" if isinstance(parents[id(node)], ast.Expr | ast.JoinedStr) else node.value
        else:
            continue
        if len(text.split()) > 2:
            yield node.lineno, text


@pytest.mark.parametrize("page", [page for page in PAGES if name_of(page) not in _MADE], ids=name_of)
def test_pages_have_no_old_words(page: Path) -> None:
    found = old_words(prose(page)).union(*(old_words(block.text) for block in blocks(page) if block.language == "yaml"))
    assert not found, {word: PLAIN[word] for word in found}


def test_messages_and_specs_have_no_old_words() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}": sorted(old_words(text))
        for path in (ROOT / "causalvae").rglob("*.py")
        for line, text in messages(path.read_text(encoding="utf-8"))
        if old_words(text)
    }
    found |= {
        str(path.relative_to(ROOT)): sorted(old_words(text))
        for folder in ("causalvae", "specs", "examples")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".yaml", ".j2") and str(path.relative_to(ROOT)) not in _RECORDED
        for text in [path.read_text(encoding="utf-8")]
        if old_words(text)
    }
    assert not found


def test_an_old_word_in_a_message_is_found() -> None:
    source = 'def f(told):\n    """Told so."""\n    raise ValueError(f"the file {told} is left out")\n'
    (found,) = [old_words(text) for _, text in messages(source) if old_words(text)]
    assert found == {"left out"}


@pytest.mark.parametrize("page", [page for page in PAGES if name_of(page) not in _WIDE], ids=name_of)
def test_tables_have_columns_that_fit_a_page(page: Path) -> None:
    for line in prose(page).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) - 1 <= _MOST_COLUMNS, line


def test_every_term_is_explained_once_and_in_one_place() -> None:
    text = (ROOT / "docs" / "terms.md").read_text(encoding="utf-8")
    terms = [term.lower() for term in re.findall(r"\*\*([^*]+)\*\*", text)]
    assert len(set(terms)) == len(terms)
    for term in ("donor", "cohort", "arm", "site", "unit", "rival", "base input", "clean run", "patch", "mediator"):
        assert term in terms
