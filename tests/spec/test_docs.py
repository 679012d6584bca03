"""The table of codes and the code agree."""

from __future__ import annotations

import re
from pathlib import Path

from causalvae.spec import parse_spec
from causalvae.spec.codes import CODES

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (CV\d{3}) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)


def test_every_code_is_in_the_table_and_the_other_way_round() -> None:
    rows = ROW.findall((ROOT / "docs/spec-errors.md").read_text(encoding="utf-8"))
    assert [row[0] for row in rows] == sorted(CODES)
    assert all(cell.strip() for row in rows for cell in row)


def test_the_error_that_the_page_shows_is_what_is_printed() -> None:
    page = (ROOT / "docs/spec-errors.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    _, diagnostics = parse_spec("spec: causalvae/v1\nname: mine\n\ndata: {source: dsprites, sampels: 512}\n")
    (printed,) = [found.render() for found in diagnostics if found.code == "CV020"]
    assert [line.strip() for line in shown.splitlines()][2:] == [line.strip() for line in printed.splitlines()][2:]


def test_every_code_is_given_somewhere_and_no_other_is() -> None:
    given: set[str] = set()
    for path in (ROOT / "causalvae").rglob("*.py"):
        if path.name != "codes.py":
            given |= set(re.findall(r"\"(CV0\d\d)\"", path.read_text(encoding="utf-8")))
    assert given == set(CODES)
