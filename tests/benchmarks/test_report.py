"""The benchmark's arithmetic and what it writes."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.arm import compare
from benchmarks.fitting import fit_exponent, fit_line
from benchmarks.floor import BestSpeed, Floor
from benchmarks.report import Results, agrees, best_peer, engine_of, write_results
from benchmarks.scaling import Curve, Scaling
from benchmarks.sweep import ArmResult, SweepResult


def arm(name: str, *seconds: float, setup: float = 0.0, difference: float = 0.0) -> ArmResult:
    halves = [value / 2 for value in seconds]
    return ArmResult(name, {"a": halves, "b": halves}, setup, [difference, difference], 8, {"a": 3, "b": 4})


@pytest.fixture
def sweep() -> SweepResult:
    arms = [
        arm("hook loop", 10.0, 30.0, 20.0),
        arm("nnsight", 18.0, 18.0, 19.0),
        arm("hook loop, channels-last", 5.0, 5.0, 5.0),
        arm("engine: full", 9.0, 9.0, 9.0),
        arm("engine: + suffix", 2.0, 3.0, 2.5, setup=0.5),
    ]
    return SweepResult("network", 8, 2, {item.name: item for item in arms}, [], {"load": 1.0})


def test_a_total_is_the_sum_of_medians_and_what_is_paid_once(sweep: SweepResult) -> None:
    assert sweep.arms["hook loop"].total == 20
    assert engine_of(sweep).total == 3
    assert engine_of(sweep).spread == (2.5, 3.5)


def test_the_best_peer_is_the_fastest_that_runs_as_its_users_run_it(sweep: SweepResult) -> None:
    assert best_peer(sweep).name == "nnsight"


def test_a_difference_is_relative_to_the_row_or_to_the_scale() -> None:
    expected = [np.array([[[3.0, 100.0], [4.0, 100.0]]]), np.array([[[0.0, 100.0], [5.0, 100.0]]])]
    found = [expected[0] + [[[0.0, 1.0]]], expected[1] + [[[0.5, 0.0], [0.0, 0.0]]]]
    scale = np.array([2.0, 50.0])
    assert compare(found, expected, scale) == pytest.approx([0.25, 0.01])
    assert compare(expected, expected, scale) == [0, 0]


def test_an_arm_that_differs_is_told(sweep: SweepResult) -> None:
    assert agrees(sweep)
    sweep.arms["nnsight"].difference = [0.0, 2e-5]
    assert not agrees(sweep)


def test_lines_and_exponents_are_recovered() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    line = fit_line(x.tolist(), (3 * x + 2).tolist())
    assert (line.slope, line.intercept, line.r_squared) == pytest.approx((3, 2, 1))
    rng = np.random.default_rng(0)
    noisy = 5 * x**1.5 * np.exp(0.01 * rng.standard_normal(4))
    exponent = fit_exponent(x.tolist(), noisy.tolist())
    assert exponent.slope == pytest.approx(1.5, abs=4 * exponent.error)
    assert 0 < exponent.error < 0.02
    flat = fit_line([1, 2, 3, 4], [1, -1, 1, -1])
    assert flat.r_squared < 0.5


def test_what_is_written_can_be_read_again(sweep: SweepResult, tmp_path: Path) -> None:
    speed = BestSpeed("conv2d", 1e-5, 1e6, 64, "channels-last")
    floor = Floor(2.0, 0.1, 4.0, 1.5, {"a": 3, "b": 4}, {"a": 0.8, "b": 1.2}, (speed,))
    curve = Curve("units", "engine", (1, 2, 4), (1.0, 2.0, 4.1), fit_exponent([1, 2, 4], [1.0, 2.0, 4.1]))
    results = Results({"cores": 2}, {"rounds": 3}, [sweep], {"network": floor}, {}, Scaling((curve,), ()))
    paths = {path.name: path for path in write_results(results, tmp_path)}
    text = paths["results.md"].read_text(encoding="utf-8")
    assert "| network | 0.44 | 20.0 | 18.0 (nnsight) | 3.0 | **6.0x** | 2.0 | 1.50 | 9.0x | yes |" in text
    assert "agree." in text
    rows = list(csv.DictReader(paths["sweep.csv"].open(encoding="utf-8")))
    assert len(rows) == 5 * 2 * 3
    assert sum(float(row["cpu_seconds"]) for row in rows if row["arm"] == "engine: + suffix") == pytest.approx(7.5)
    for name in ("sweep.svg", "scaling.svg"):
        root = ElementTree.fromstring(paths[name].read_text(encoding="utf-8"))
        assert root.tag.endswith("svg")
    bars = paths["sweep.svg"].read_text(encoding="utf-8").count("<rect x=")
    assert bars == len(sweep.arms)
