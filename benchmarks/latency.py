"""One pair, one intervention: how long a user at a prompt waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.arm import BenchmarkArm
from benchmarks.engine import EngineArm, pass_sets
from benchmarks.peers import installed_peers, make_peer
from benchmarks.timing import time_call
from benchmarks.workload import SweptSite, burgess_workload

SITES = ("encoder.conv1", "decoder.convT1")


@dataclass(frozen=True)
class Latency:
    """CPU milliseconds of one intervention on one pair, medians of interleaved repeats.

    Parameters
    ----------
    arm, site : str
    intervention : float
        The intervention alone, clean runs at hand.
    from_nothing : float
        With the clean runs of both sides.
    """

    arm: str
    site: str
    intervention: float
    from_nothing: float


def measure_latency(network: str, peers: tuple[str, ...] | None = None, repeats: int = 15) -> list[Latency]:
    """Every arm on every site of `SITES`."""
    workload = burgess_workload(network, 1)
    arms: list[BenchmarkArm] = [make_peer(name, workload) for name in installed_peers(peers)[0]]
    arms.append(EngineArm(workload, pass_sets(workload)[-1]))
    found = []
    for name in SITES:
        site = workload.site(name)
        unit = _live_unit(arms[-1], site)
        alone: dict[int, list[float]] = {}
        whole: dict[int, list[float]] = {}
        for repeat in range(repeats + 1):
            for place in range(len(arms)):
                position = (place + repeat) % len(arms)
                first, second = _once(arms[position], site, unit)
                if repeat:
                    alone.setdefault(position, []).append(second)
                    whole.setdefault(position, []).append(first + second)
        for position, arm in enumerate(arms):
            label = "engine" if isinstance(arm, EngineArm) else arm.name
            found.append(Latency(label, name, 1e3 * median(alone[position]), 1e3 * median(whole[position])))
    return found


def _live_unit(arm: BenchmarkArm, site: SweptSite) -> int:
    """A unit whose patch changes something, so that no arm is let off the work."""
    if isinstance(arm, EngineArm):
        for unit in range(site.units):
            if arm.count_live(arm.run(site, [unit])):
                return unit
    return 0


def _once(arm: BenchmarkArm, site: SweptSite, unit: int) -> tuple[float, float]:
    """CPU seconds of the clean runs, and of the intervention alone."""
    prepare: Callable[[], Any] = arm.run_clean if isinstance(arm, EngineArm) else lambda: arm.prepare(site)
    first = time_call(prepare)[0]
    second = time_call(lambda: arm.run(site, [unit]))[0]
    return (first, second - first) if isinstance(arm, EngineArm) else (first, second)
