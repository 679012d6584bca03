from __future__ import annotations

import re
from pathlib import Path

import pytest

from causalvae.plan.owner import Owner
from causalvae.report.markdown_report import escape_markdown
from causalvae.results import Results


def test_tables_have_as_many_cells_as_columns(hostile_files: dict[str, Path]) -> None:
    width = None
    tables = 0
    for line in hostile_files["markdown"].read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            width = None
            continue
        cells = len(re.split(r"(?<!\\)\|", line)) - 2
        if width is None:
            width = cells
            tables += 1
        assert cells == width, line
    assert tables > 10


def test_every_component_stands_in_the_text(plain: Results, plain_files: dict[str, Path]) -> None:
    text = plain_files["markdown"].read_text(encoding="utf-8")
    for component in {e.component.label for e in plain.estimates if e.owner == Owner.intervention("patch_everything")}:
        assert f"| {component} |" in text


def test_the_graph_is_a_mermaid_block_with_statuses(plain_files: dict[str, Path]) -> None:
    text = plain_files["markdown"].read_text(encoding="utf-8")
    blocks = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    assert blocks[0].count("-->") == 7
    for words in ("✗ missing", "+ spurious", "? undecided", "==>"):
        assert words in blocks[1]


def test_hostile_names_cannot_leave_a_mermaid_label(hostile_files: dict[str, Path]) -> None:
    text = hostile_files["markdown"].read_text(encoding="utf-8")
    for block in re.findall(r"```mermaid\n(.*?)\n```\n", text, re.DOTALL):
        assert "<" not in block
        assert "`" not in block
        for line in block.splitlines()[1:]:
            assert re.fullmatch(
                r'  n\d+(\(\["[^"]*"\]\)|\["[^"]*"\])|  n\d+ (-->|==>|-\.->|-\. "[^"]*" \.->|-- "[^"]*" -->) n\d+', line
            ), line


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"),
        ("<script>", "&lt;script&gt;"),
        ("[x](http://e)", r"[x]\(http://e)"),
        ("**b** `c` $m$ ~~s~~", r"\*\*b\*\* \`c\` \$m\$ \~\~s\~\~"),
        ("snake_case_name", "snake_case_name"),
        ("_emphasis_", r"\_emphasis\_"),
        ("# title", r"\# title"),
        ("1. item", r"1\. item"),
        ("- item", r"\- item"),
        ("two\nlines", "two lines"),
        ("latent[3]", "latent[3]"),
        ("−0.01", "−0.01"),  # noqa: RUF001
    ],
)
def test_text_is_shown_as_it_is(text: str, written: str) -> None:
    assert escape_markdown(text) == written


def test_no_markup_of_a_spec_is_live(hostile_files: dict[str, Path]) -> None:
    text = hostile_files["markdown"].read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    # Within a mermaid block a link is no link.
    assert "](http" not in re.sub(r"```mermaid\n.*?\n```\n", "", text, flags=re.DOTALL)
