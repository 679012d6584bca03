"""``causalvae plan --explain``: every pass, what costs most, and what was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import causalvae
from causalvae.costs import Explained, predicted_rows, side_by_side
from causalvae.engine.forecast import Forecast, GroupForecast
from causalvae.engine.overheads import ScreenForecast
from causalvae.engine.shards import CLEAN_RUNS, OVERHEADS
from causalvae.engine.trial import Work
from causalvae.plan.owner import Owner
from causalvae.results import CostRow
from tests.cli.test_cli_inspecting import make_plan

PASSES = ("none", "share", "suffix", "dead_rows", "pack")
SITES = tuple(f"encoder.block{number}.conv" for number in range(20))


def work(rows: float) -> Work:
    return Work(rows, rows / 2, rows * 1e7, rows * 1e4, rows / 1000)


def make_forecast(groups: int = 20, timed: bool = True) -> Forecast:
    found = tuple(
        GroupForecast(
            "resize",
            "base",
            (site,),
            arms=32,
            rows=2048 - 10 * number,
            live=0.5 * (2048 - 10 * number),
            live_error=0.02,
            work={
                name: work((2048 - 10 * number) * (0.5 if name in ("dead_rows", "pack") else 1.0)) for name in PASSES
            },
            timed=timed or number == 0,
        )
        for number, site in enumerate(SITES[:groups])
    )
    passes = {name: sum((group.work[name] for group in found), Work()) for name in PASSES}
    screen = ScreenForecast(Owner.intervention("sweep"), "resize", "base", 1770, 32 * groups, work(100))
    return Forecast(passes, found, work(500), 2, 3.5e8, 16, (screen,), 1.25, 64, 128)


def explain(forecast: Forecast, measured: tuple[CostRow, ...] = (), finished: bool = False) -> Explained:
    seconds = sum(row.seconds or 0.0 for row in measured) if measured else None
    return Explained(forecast, side_by_side(predicted_rows(forecast), measured, finished), seconds, Path("r"), finished)


def measured_of(forecast: Forecast) -> tuple[CostRow, ...]:
    rows = [
        CostRow("resize", "base", group.sites[0], 32, group.rows, round(group.live) + 3, 2.5, flops=1e9, bytes=2e9)
        for group in forecast.groups
    ]
    return (*rows, CostRow("all", "both", CLEAN_RUNS, 0, 500, 500, 0.5, flops=5e9, bytes=1e9))


@pytest.fixture
def told(invoke, starter: Path, monkeypatch: pytest.MonkeyPatch):
    def tell(explained: Explained, *options: str, captured_by: str = "torch.export") -> str:
        plan = replace(make_plan(), captured_by=captured_by)
        monkeypatch.setattr(causalvae, "open", lambda path, on_progress: SimpleNamespace(), raising=False)
        monkeypatch.setattr(causalvae, "compile_plan", lambda session, on_progress: plan, raising=False)
        monkeypatch.setattr(causalvae, "explain", lambda session, plan, out, tell: explained, raising=False)
        done = invoke("plan", starter, "--explain", *options)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    return tell


def cells(text: str, start: str) -> list[str]:
    """The words of the line that begins so."""
    return next(line for line in text.splitlines() if line.startswith(start)).split()


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_every_pass_has_a_line_that_adds_up(told) -> None:
    forecast = make_forecast()
    text = told(explain(forecast))
    assert max(map(len, text.splitlines())) <= 80
    for name in PASSES:
        line = cells(text, f"{name} ")
        expected = forecast.passes[name]
        assert [number(cell) for cell in line[1:]] == pytest.approx(
            [expected.rows, expected.forwards, expected.flops / 1e9, expected.bytes / 1e9, expected.seconds], abs=0.5
        )
    final = forecast.passes["pack"]
    assert number(cells(text, "all ")[-1]) == pytest.approx(final.seconds + 0.5 + 0.1 + 1.25, abs=0.05)
    # 0.5 * (20 * 2,048 - 10 * 190) rows of a millisecond, and 1.85 s for all else.
    assert "Predicted: 10.7 s on 2 cores" in text
    assert "(21.4 s of one)" in text
    assert "measured" not in text.lower()


def test_the_dearest_groups_come_first_and_the_rest_in_one_line(told) -> None:
    text = told(explain(make_forecast()))
    places = [text.index(site) for site in SITES[:16]]
    assert places == sorted(places)
    assert SITES[16] not in text
    assert "4 more groups" in text
    assert cells(text, SITES[0])[-5:] == ["50", "±", "2", "1.00", "1.0"]
    for label in (CLEAN_RUNS, OVERHEADS, "first-order screen of"):
        assert label in text
    shown = [number(cells(text, label)[-1]) for label in (*SITES[:16], "4 more groups", CLEAN_RUNS, OVERHEADS)]
    assert sum(shown) + 0.1 == pytest.approx(number(cells(text, "all ")[-1]), abs=1.0)


def test_what_was_measured_stands_beside(told) -> None:
    forecast = make_forecast(3)
    text = told(explain(forecast, measured_of(forecast), finished=True))
    assert max(map(len, text.splitlines())) <= 80
    live = sum(round(group.live) + 3 for group in forecast.groups)
    # Three groups of 1e9 FLOPs, of which a whole forward pass takes 1e7.
    assert [number(cell) for cell in cells(text, "measured ")[1:]] == [live, 300, 3.0, 6.0, 7.5]
    assert cells(text, SITES[0])[-2:] == [f"{round(forecast.groups[0].live) + 3:,}", "2.5"]
    assert "Measured: 8.0 s of one core" in text
    part = told(explain(forecast, measured_of(forecast)[:1]))
    assert "Measured so far, the run being unfinished: 2.5 s" in part
    assert cells(part, "measured so far")[3] == f"{round(forecast.groups[0].live) + 3:,}"


def test_the_basis_and_the_capture_are_told(told) -> None:
    text = told(explain(make_forecast(3)), captured_by="forward hooks: every intervention needs a whole forward pass")
    assert "captured by forward hooks" in text
    assert "each group timed" in text
    assert "of 1,770 components" in text
    assert "350 MB" in text
    assert "1 of 3 groups timed" in told(explain(make_forecast(3, timed=False)))


def test_machines_are_told_the_same(told) -> None:
    forecast = make_forecast(3)
    content = json.loads(told(explain(forecast, measured_of(forecast), finished=True), "--json"))
    explained = content["explained"]
    assert list(explained["passes"]) == list(PASSES)
    assert explained["core_seconds_predicted"] == pytest.approx(forecast.total.seconds)
    assert explained["core_seconds_measured"] == pytest.approx(8.0)
    assert explained["finished"] is True
    assert [group["live_share"] for group in explained["groups"]] == [0.5, 0.5, 0.5]
    assert explained["screens"][0]["chosen"] == 96
    assert {row["sites"] for row in explained["costs"]} > {CLEAN_RUNS, OVERHEADS}
    assert content["captured_by"] == "torch.export"


def test_a_share_is_of_the_rows_that_were_expected(told) -> None:
    """A screen may choose other arms than the few pairs of a forecast did."""
    forecast = make_forecast(1)
    chosen = CostRow("resize", "base", SITES[0], 16, 1024, 600, 1.0, flops=1e9, bytes=1e9)
    text = told(explain(forecast, (chosen,), finished=True))
    assert cells(text, SITES[0])[-9:] == ["16", "1,024", "50", "±", "2", "1.00", "1.0", "600", "1.0"]
