"""The benchmark of large runs: its specs are valid, and its report is made of what was measured."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.scale import CASES, Case, Run, ShardCosts, Stage, read_run
from benchmarks.scale_report import Machine, NetworkSweep, write_scale
from benchmarks.simulation import DriverCosts
from causalvae.spec.loader import parse_spec

FILES = {"report.html": 400_000, "results.json": 1_500_000, "effects.parquet": 9, "units.parquet": 9, "tables": 10**8}


def run(rows: int, peak: float) -> Run:
    stages = (Stage("compiling the plan", 1.0, 500.0), Stage("interventions", rows / 1e5, peak))
    return Run(
        Case("pairs", 1, rows // 2752), 2760, rows, rows // 5, rows / 2e5, stages, 450.0, FILES,
        ShardCosts(64, (0.1, 0.1), (1.0, 1.0), 0.01, 0.02, 1000),
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_a_valid_spec(case: Case) -> None:
    spec, faults = parse_spec(case.spec())
    assert spec is not None and faults == ()


def test_runs_are_kept_as_json() -> None:
    assert read_run(json.loads(json.dumps(asdict(run(10**6, 600.0))))) == run(10**6, 600.0)


@pytest.mark.parametrize(("peak", "code"), [(900.0, 0), (1000.0, 1)])
def test_a_run_above_its_budget_ends_with_1(peak: float, code: int, tmp_path: Path) -> None:
    # Two shards cost the driver 0.06 s for their 10^6 rows.
    times = Machine(DriverCosts(0.0, 0.001, 0.01), 3.0, (NetworkSweep("wide", 640, 100, 0.1, 0.9),))
    assert write_scale([run(10**5, 500.0), run(10**6, peak)], times, tmp_path) == code
    text = (tmp_path / "scale.md").read_text()
    assert "| 1,000,000 | 2,760 | 363 | 200,000 | 11 | 55 | 5.0 | 6.0 |" in text
    # Ten shards of 64 s; of the driver's time 11 ms for each, and 0.06 us for each of its 6,400 rows.
    assert "| wide | 64 | 10 | 64 | 11.4 | 5,622 |" in text
    assert (tmp_path / "scale.svg").read_text().startswith("<svg")
    assert (tmp_path / "simulation.svg").exists()
