"""What a run cost, as reports show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from causalvae.report.json_report import load_results
from causalvae.report.numbers import ABSENT
from causalvae.report.tables import cost_table
from causalvae.report.write import write_report
from causalvae.results import CostRow, Results

ROWS = (
    *(CostRow("resize", "base", f"encoder.conv{n}", 32, 1000, 500 + n, 2.5, 1e9, 1e8) for n in range(14)),
    CostRow("all", "both", "clean runs", 0, 600, 600, 1.5),
    CostRow("all", "both", "inputs, statistics", 0, 0, 0, 0.75),
)


def test_costs_add_up_and_nothing_is_hidden() -> None:
    table = cost_table(ROWS)
    rows = {row[0]: row[1:] for row in table.rows}
    assert len(rows) == 12 + 4
    assert rows["2 more groups"] == ("64", "2,000", "1,025", "2.0", "5.0")
    assert rows["clean runs"] == (ABSENT, "600", "600", ABSENT, "1.5")
    assert rows["inputs, statistics"] == (ABSENT, ABSENT, ABSENT, ABSENT, "0.8")
    live = sum(row.live or 0 for row in ROWS)
    assert rows["all"] == ("448", "14,600", f"{live:,}", "14.0", "37.2")


def test_every_report_shows_them(plain: Results, tmp_path: Path) -> None:
    results = replace(plain, costs=ROWS)
    paths = write_report(results, tmp_path, ("html", "markdown", "json"))
    for name in ("html", "markdown"):
        text = paths[name].read_text(encoding="utf-8")
        assert "Cost by what is patched" in text
        assert "2 more groups" in text
        assert "inputs, statistics" in text
    assert load_results(tmp_path).costs == ROWS
