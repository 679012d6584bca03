"""The GPU check, as far as it can be tested on a CPU: the command, and re-runs that are captured and repeated."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.engine import EngineArm, all_passes
from benchmarks.gpu.graphs import Outputs, cuda_capture, graphed
from benchmarks.gpu.measure import Sweeper, Timing, Way, fastest, ways
from benchmarks.timing import one_thread
from benchmarks.workload import Workload, burgess_workload

ROOT = Path(__file__).resolve().parents[2]
SITES = {"encoder.conv1": range(6), "decoder.lin3": range(40), "decoder.convT2": range(6)}


@pytest.fixture(scope="module")
def workload() -> Workload:
    return burgess_workload("dsprites-disentangled", 6)


def recorded(run: Callable[[], Outputs]) -> Callable[[], Outputs]:
    """A capture as CUDA's: each repetition reads the same inputs and overwrites the same outputs."""
    outputs = {name: value.clone() for name, value in run().items()}

    def repeat() -> Outputs:
        for name, value in run().items():
            outputs[name].copy_(value)
        return outputs

    return repeat


def sweep(workload: Workload) -> list[np.ndarray]:
    arm = EngineArm(workload, all_passes(), spec=workload.spec(batch_rows=16))
    return [arm.read(arm.run(workload.site(name), units), units) for name, units in SITES.items()]


def test_captured_reruns_give_the_same_outcomes(workload: Workload) -> None:
    with one_thread():
        expected = sweep(workload)
        with graphed(recorded) as counter:
            found = sweep(workload)
    assert counter.captured >= len(SITES)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_capture_that_keeps_its_first_inputs_is_noticed(workload: Workload) -> None:
    def stale(run: Callable[[], Outputs]) -> Callable[[], Outputs]:
        outputs: dict[str, Tensor] = {name: value.clone() for name, value in run().items()}
        return lambda: outputs

    with graphed(stale):
        found = sweep(workload)
    assert any(not np.array_equal(mine, theirs) for mine, theirs in zip(found, sweep(workload), strict=True))


def test_the_check_runs_in_every_way_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--small", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    names = {timing["way"]["arm"] for timing in found["timings"]}
    assert {"hook loop", "engine"} <= names
    assert sum(timing["captured"] for timing in found["timings"]) > 0
    assert "Fastest in float32: engine" in (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert (tmp_path / "gpu.svg").read_text(encoding="utf-8").count("<rect") > len(found["timings"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_command_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "There is no GPU here" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_fastest_way_is_exact_and_the_engine_s() -> None:
    def timing(way: Way, seconds: float) -> Timing:
        return Timing("net", way, seconds, (seconds, seconds), 0.0, 0.0, 0)

    slow, quick = timing(Way("engine"), 2.0), timing(Way("engine", graphs=True), 1.5)
    others = [timing(Way("hook loop"), 1.0), timing(Way("engine", "tf32"), 0.5)]
    assert fastest([slow, *others, quick]) == {"net": quick}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    "way", [way for way in ways((), (256,)) if way.precision == "float32"], ids=lambda way: way.name
)
def test_a_gpu_gives_the_outcomes_of_the_cpu(way: Way, workload: Workload) -> None:
    on_cpu = Sweeper(workload, torch.device("cpu"), 4, 1, recorded)
    on_gpu = Sweeper(workload, torch.device("cuda"), 4, 1, cuda_capture)
    on_cpu.measure(Way("hook loop"))
    on_gpu.expect(on_cpu)
    assert on_gpu.measure(way).difference <= 1e-5
