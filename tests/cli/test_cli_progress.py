"""What progress looks like in a terminal of 80 columns, and in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from causalvae.cli import progress
from causalvae.cli.progress import ProgressView, format_count
from causalvae.engine.progress import Progress


def last_frame(console: Console) -> list[str]:
    written = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.split("\x1b[2K")[-1].split("\x1b[?25h")[0].rstrip() for line in written.split("\n")]
    return [line for line in lines if line][-3:]


@pytest.mark.parametrize("total", [227_840, 999_999, 227_840_000])
def test_each_stage_keeps_to_one_line_of_80_columns(total: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with ProgressView(console=console) as view:
        view.tell(Progress("screening", 64, 64, "pairs"))
        view.tell(Progress("interventions", total // 2, total, "rows", 123_456.0, 4000.0))
        view.tell(Progress("refutation", 3, 8, "refuters"))
    frame = last_frame(console)
    assert [line.split()[0] for line in frame] == ["screening", "interventions", "refutation"]
    assert all(len(line) <= 80 for line in frame)
    assert frame[1].endswith("123,456 rows/s 1 h 6 min left")
    assert f"{format_count(total // 2)}/{format_count(total)}" in frame[1]
    assert "…" not in "".join(frame)


def test_a_log_hears_of_a_long_stage_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    console = Console(file=io.StringIO(), width=80)
    with ProgressView(console=console) as view:
        for step in range(301):
            now[0] = float(step)
            left = float(300 - step)
            view.tell(Progress("interventions", 10 * step, 3000, "rows", 10.0 if step else None, left))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "interventions: 600/3,000 rows, 10 rows/s, 4 min 0 s left"
    assert lines[-1] == "interventions: 3,000 rows in 300.0 s, 10 rows/s"
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0"), (999_999, "999,999"), (1e6, "1.00M"), (12.3e6, "12.3M"), (2.5e9, "2.50G")]
)
def test_counts(count: float, words: str) -> None:
    assert format_count(count) == words
