"""Where the engine's time goes: by phase of the engine's own code, and by kernel."""

from __future__ import annotations

import cProfile
import pstats
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.engine import EngineArm, pass_sets
from benchmarks.workload import Workload

_KERNELS = {
    "convolution": ("conv", "mkldnn", "slow_conv", "thnn"),
    "matrix product": ("mm", "addmm", "bmm", "linear", "matmul"),
    "relu": ("relu", "clamp", "threshold"),
    "sigmoid": ("sigmoid",),
    "copy, index, layout": (
        *("copy", "index", "cat", "stack", "clone", "gather", "scatter", "resize", "contiguous", "unfold", "pad"),
        *("shuffle", "repeat", "select", "slice", "view", "expand", "fill", "zero", "empty"),
    ),
    "comparison and sums": (
        *("sum", "ne", "any", "sub", "square", "pow", "mul", "add", "nonzero", "where", "abs", "eq", "div"),
    ),
}


@dataclass(frozen=True)
class Profile:
    """One workload's full sweep by the engine with all passes, taken apart.

    Parameters
    ----------
    seconds : float
        CPU seconds of the unprofiled sweep, clean runs of every site among it.
    kernels : dict
        Kind of kernel -> share of the sweep's kernel time; ``other kernels`` is the rest.
    kernel_seconds : float
        Their sum.
    functions : tuple of (str, float, float)
        The engine's functions by the CPU seconds spent in them and what they call: name, cumulative and own seconds,
        under the profiler.
    """

    seconds: float
    kernels: dict[str, float]
    kernel_seconds: float
    functions: tuple[tuple[str, float, float], ...]


def profile_engine(workload: Workload, functions: int = 24) -> Profile:
    """Take the full sweep apart; the same sweep is run three times: plain, and under each of two profilers."""
    engine = EngineArm(workload, pass_sets(workload)[-1])
    plan = [(site, range(site.units)) for site in workload.sites]
    engine.run(*plan[0])

    def sweep() -> None:
        for site, units in plan:
            engine.run(site, units)

    began = time.process_time()
    sweep()
    seconds = time.process_time() - began

    watch = cProfile.Profile(time.process_time)
    watch.runcall(sweep)
    rows = []
    for (file, _, name), (_, _, own, cumulative, _) in pstats.Stats(watch).stats.items():  # type: ignore[attr-defined]
        if f"{Path('causalvae')}/" in file:
            rows.append((f"{Path(file).stem}.{name}", float(cumulative), float(own)))
    rows.sort(key=lambda row: -row[1])

    spent: dict[str, float] = {}
    # A profiler a site: events of a whole sweep would fill a gigabyte.
    for site, units in plan:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as watched:
            engine.run(site, units)
        for event in watched.key_averages():
            if event.key.startswith("aten::"):
                kind = _kind(event.key.removeprefix("aten::"))
                spent[kind] = spent.get(kind, 0.0) + event.self_cpu_time_total / 1e6
    total = sum(spent.values())
    shares = {kind: value / total for kind, value in sorted(spent.items(), key=lambda item: -item[1])}
    return Profile(seconds, shares, total, tuple(rows[:functions]))


def _kind(name: str) -> str:
    bare = name.strip("_")
    for kind, words in _KERNELS.items():
        if any(word in bare if len(word) > 3 else bare.split("_")[0] == word for word in words):
            return kind
    return "other kernels"
