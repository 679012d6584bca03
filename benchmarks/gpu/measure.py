"""Wall time, memory and agreement of ways to run a sweep on one device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from benchmarks.arm import BenchmarkArm, Outcomes, compare, outcome_scale
from benchmarks.engine import EngineArm, all_passes
from benchmarks.gpu.graphs import Capture, graphed
from benchmarks.peers import make_peer
from benchmarks.workload import Workload
from causalvae.engine.precision import matrix_precision


@dataclass(frozen=True)
class Way:
    """One way to run a sweep.

    Parameters
    ----------
    arm : {"hook loop", "nnsight", "engine"}
    precision : {"float32", "tf32"}
    graphs : bool
        Whether the engine's re-runs are captured as CUDA graphs.
    batch_rows : int, optional
        Rows that the engine runs together; the default for the device if omitted.
    """

    arm: str
    precision: str = "float32"
    graphs: bool = False
    batch_rows: int | None = None

    @property
    def name(self) -> str:
        """For tables and plots."""
        parts = [self.arm, self.precision, "CUDA graphs" if self.graphs else ""]
        return ", ".join([part for part in parts if part] + ([f"{self.batch_rows} rows"] if self.batch_rows else []))


@dataclass(frozen=True)
class Timing:
    """What was measured of one way on one network.

    Parameters
    ----------
    network : str
    way : Way
    seconds : float
        Wall time of the sweep, with the clean runs: the median over rounds.
    spread : tuple of float
        The shortest and the longest round.
    difference : float
        Largest distance from the hook loop in float32; see `benchmarks.arm.compare`.
    memory : float
        Largest amount of memory allocated on the GPU, in bytes; 0 on a CPU.
    captured : int
        CUDA graphs that were captured, over all rounds.
    """

    network: str
    way: Way
    seconds: float
    spread: tuple[float, float]
    difference: float
    memory: float
    captured: int


class Sweeper:
    """Runs one sweep in different ways on one device, each compared with the first.

    Parameters
    ----------
    workload : Workload
    device : torch.device
    units : int, optional
        Units of each site; all if omitted.
    rounds : int
    capture : callable
        See `benchmarks.gpu.graphs.Capture`.
    """

    def __init__(
        self, workload: Workload, device: torch.device, units: int | None, rounds: int, capture: Capture
    ) -> None:
        self.workload = workload.on(device)
        self._original, self._device, self._rounds, self._capture = workload, device, rounds, capture
        self._units = [
            (site, list(range(site.units if units is None else min(units, site.units)))) for site in workload.sites
        ]
        self._expected: list[Outcomes] | None = None

    def measure(self, way: Way) -> Timing:
        """Run the sweep, once unmeasured and then in rounds."""
        with ExitStack() as stack:
            stack.enter_context(matrix_precision(way.precision))
            counter = stack.enter_context(graphed(self._capture)) if way.graphs else None
            arm = self._open(way)
            found = self._sweep(arm)
            self._reset()
            spent = [self._timed(lambda: self._sweep(arm)) for _ in range(self._rounds)]
        if self._expected is None:
            self._expected = found
        scale = outcome_scale(self.workload)
        return Timing(
            self._original.name,
            way,
            median(spent),
            (min(spent), max(spent)),
            max(compare(found, self._expected, scale)),
            float(torch.cuda.max_memory_allocated(self._device)) if self._on_gpu else 0.0,
            0 if counter is None else counter.captured,
        )

    def expect(self, other: Sweeper) -> None:
        """Compare with the outcomes that another sweeper compares with, such as those of another device."""
        self._expected = other._expected

    def _open(self, way: Way) -> BenchmarkArm:
        if way.arm != "engine":
            return make_peer(way.arm, self.workload)
        spec = self._original.spec(way.batch_rows, way.precision)
        return EngineArm(self._original, all_passes(), self._device, spec)

    def _sweep(self, arm: BenchmarkArm) -> list[Outcomes]:
        found = []
        for site, units in self._units:
            arm.prepare(site)
            found.append(arm.read(arm.run(site, units), units))
        return found

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def _reset(self) -> None:
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats(self._device)

    def _timed(self, call: Callable[[], object]) -> float:
        if self._on_gpu:
            torch.cuda.synchronize(self._device)
        began = time.perf_counter()
        call()
        if self._on_gpu:
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - began


def ways(peers: Sequence[str], row_sizes: Sequence[int]) -> list[Way]:
    """The ways to compare, the reference first: peers and the engine in both precisions, graphs, batch sizes."""
    found = [Way("hook loop"), Way("engine")]
    found += [Way(peer) for peer in peers]
    found += [Way("hook loop", "tf32"), Way("engine", "tf32")]
    found += [Way("engine", graphs=True), Way("engine", "tf32", graphs=True)]
    return found + [Way("engine", graphs=graphs, batch_rows=rows) for rows in row_sizes for graphs in (False, True)]


def fastest(timings: Sequence[Timing]) -> dict[str, Timing]:
    """The fastest way of the engine for each network among those within float32's rounding of the hook loop."""
    best: dict[str, Timing] = {}
    for timing in timings:
        exact = timing.way.precision == "float32"
        if timing.way.arm == "engine" and exact and np.isfinite(timing.difference):
            before = best.get(timing.network)
            best[timing.network] = timing if before is None or timing.seconds < before.seconds else before
    return best
