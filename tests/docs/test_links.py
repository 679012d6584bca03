"""Every link leads somewhere, and the site's navigation has every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import PAGES, ROOT, anchors, name_of, prose

LINK = re.compile(r"\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_and_anchor_leads_somewhere(page: Path) -> None:
    for link in LINK.finditer(prose(page)):
        if "://" in link["path"]:
            continue
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        assert target.exists(), link[0]
        if link["anchor"]:
            assert target.suffix == ".md", link[0]
            assert link["anchor"] in anchors(target), link[0]


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `code` & more\n\n```bash\n# no heading\n```\n\n## Twice\n\n## Twice\n\n## [A link](b.md), done\n"
    )
    assert anchors(page) == {"a-code--more", "twice", "twice-1", "a-link-done"}


def navigated(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    children = entry.values() if isinstance(entry, dict) else entry
    assert not isinstance(children, str | None)
    return [page for child in children for page in navigated(child)]


def test_the_navigation_has_every_page_once() -> None:
    text = re.sub(r"!!python/\S+ ", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = navigated(YAML(typ="safe").load(text)["nav"])
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert sorted(listed) == sorted(pages | {"index.md"})
