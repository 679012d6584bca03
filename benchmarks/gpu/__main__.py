"""One command for a GPU: ``python -m benchmarks.gpu`` runs the guarded tests and times sweeps, within a time limit."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.gpu.graphs import cuda_capture
from benchmarks.gpu.measure import Sweeper, ways
from benchmarks.gpu.report import Check, write_check
from benchmarks.networks import KL_SITES, autoencoder_kl
from benchmarks.timing import describe_machine
from benchmarks.workload import Workload, assembled_workload, burgess_workload

ROOT = Path(__file__).resolve().parents[2]
# A sweep in float32 must agree with the hook loop within this; see benchmarks/README.md.
TOLERANCE = 1e-5


def main() -> int:
    """Test, measure and write; 1 if a test failed or a float32 sweep differs from the hook loop's, 2 without a GPU."""
    options = _parse()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU here. `--device cpu --small` shows that every step runs.")
        return 2
    warnings.filterwarnings("ignore")
    began = time.perf_counter()
    device = torch.device(options.device)
    check = Check(describe_machine(), torch.cuda.get_device_name() if device.type == "cuda" else "none", [], [])

    def left() -> float:
        return float(options.seconds) - (time.perf_counter() - began)

    # What exists is written after each step, so that a stopped run keeps it.
    write = partial(write_check, check, options.out)
    if not options.small:
        check.tests, check.tests_passed = _run_tests(min(120.0, left()))
        write()
    for name, make in _workloads(options.small):
        sweeper = Sweeper(make(), device, 2 if options.small else None, 1 if options.small else 3, _capture(device))
        peers = [peer for peer in ("nnsight",) if find_spec(peer) is not None]
        sizes = (32,) if options.small else (256, 4096, 16384)
        for way in ways(peers, sizes):
            if left() <= 0:
                check.skipped.append(f"{name}: {way.name} (no time was left)")
                continue
            timing = sweeper.measure(way)
            check.timings.append(timing)
            print(f"[{time.perf_counter() - began:5.0f} s] {name}: {way.name}: {timing.seconds:.3f} s", flush=True)
            write()
    for path in write():
        print(f"wrote {path}")
    exact = [timing for timing in check.timings if timing.way.precision == "float32"]
    return 0 if check.tests_passed and all(timing.difference <= TOLERANCE for timing in exact) else 1


def _capture(device: torch.device) -> Callable[..., Callable[..., dict[str, torch.Tensor]]]:
    # On a CPU nothing is recorded: calling again gives the same, so that all other code is exercised.
    return cuda_capture if device.type == "cuda" else lambda run: run


def _workloads(small: bool) -> Iterator[tuple[str, Callable[[], Workload]]]:
    burgess = "dsprites-disentangled"
    if small:
        yield burgess, lambda: _some_sites(burgess_workload(burgess, 24))
        return
    yield burgess, lambda: burgess_workload(burgess, 256)
    if find_spec("diffusers") is not None:
        name = "AutoencoderKL, 256 px"
        yield name, lambda: assembled_workload(name, autoencoder_kl(256), KL_SITES, 8, 32, 1, 256)


def _some_sites(workload: Workload) -> Workload:
    return replace(workload, sites=tuple(workload.site(name) for name in ("encoder.conv1", "decoder.lin3")))


def _run_tests(seconds: float) -> tuple[str, bool]:
    """The last line of the guarded tests, and whether all of them passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"the tests took over {seconds:.0f} s", False
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[-1] if lines else "the tests printed nothing", done.returncode == 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Check and time the engine on a GPU.")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=330.0, help="start nothing after this time (default 330)")
    parser.add_argument("--small", action="store_true", help="the smallest sizes and no tests: shows that it runs")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
