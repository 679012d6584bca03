"""The page of counts, made at the smallest scale; `make fuzz` makes docs/robustness.md."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.fuzz import __main__ as fuzz
from tests.fuzz.__main__ import PARTS, Outcome, main

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
ROW = re.compile(r"\| ([A-Z][a-z ]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (\d+) \| [\d,]+ \|")


def rows_of(page: str) -> dict[str, tuple[int, int, int, int]]:
    """Title -> cases, refused, accepted, failures."""
    rows = {title: [int(count.replace(",", "")) for count in counts] for title, *counts in ROW.findall(page)}
    return {title: (cases, refused, accepted, failures) for title, (cases, refused, accepted, failures) in rows.items()}


# Half a minute; each part is run by test_small.py as well.
@pytest.mark.simulation
@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked, which this system cannot do")
def test_every_part_is_run_and_counted(tmp_path: Path) -> None:
    out = tmp_path / "robustness.md"
    assert main(["--scale", "small", "--seed", "3", "--out", str(out)]) == 0
    page = out.read_text()
    rows = rows_of(page)
    assert list(rows) == [part.title for part in PARTS.values()]
    for part in PARTS.values():
        cases, refused, accepted, failures = rows[part.title]
        assert cases == refused + accepted >= part.small
        assert failures == 0
        assert f"**{part.title}.** {part.property} Counts: " in page
    assert "`python -m tests.fuzz --scale small --seed 3 --out docs/robustness.md`" in page
    assert str(tmp_path) not in page


def test_a_failure_is_told_and_gives_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = fuzz.Part("Specs", lambda count, seed: Outcome(count, 1, 1, ["spec 2 hangs"]), "None hangs.", 3, 3, 3)
    monkeypatch.setattr(fuzz, "PARTS", {"specs": part})
    assert main(["--out", str(tmp_path / "page.md")]) == 1
    assert rows_of((tmp_path / "page.md").read_text()) == {"Specs": (3, 1, 1, 1)}
    assert "FAILED spec 2 hangs" in capsys.readouterr().out


def test_the_page_of_the_documentation_has_every_part_and_no_failure() -> None:
    rows = rows_of(PAGE.read_text())
    assert list(rows) == [part.title for part in PARTS.values()]
    assert all(cases == refused + accepted and failures == 0 for cases, refused, accepted, failures in rows.values())
