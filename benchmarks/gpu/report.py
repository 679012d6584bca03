"""Writes what `make gpu-check` found as Markdown, JSON and SVG."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu.measure import Timing, fastest
from benchmarks.plots import draw_bars


@dataclass
class Check:
    """Everything that one check found.

    Parameters
    ----------
    machine : dict
    gpu : str
        Its name; ``none`` on a CPU.
    timings : list of Timing
    skipped : list of str
    tests : str
        The last line that the guarded tests printed; empty if they were not run.
    tests_passed : bool
    """

    machine: dict[str, Any]
    gpu: str
    timings: list[Timing] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    tests: str = ""
    tests_passed: bool = True

    @property
    def networks(self) -> list[str]:
        """The networks that were measured, in order."""
        return list(dict.fromkeys(timing.network for timing in self.timings))

    def of(self, network: str) -> list[Timing]:
        """The timings of one network, the reference first."""
        return [timing for timing in self.timings if timing.network == network]


def write_check(check: Check, folder: Path) -> list[Path]:
    """Write ``gpu.md``, ``gpu.json`` and ``gpu.svg``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    bars = {
        f"{network}: seconds of the sweep": {timing.way.name: timing.seconds for timing in check.of(network)}
        for network in check.networks
    }
    files = {
        "gpu.md": "\n".join(_lines(check)) + "\n",
        "gpu.json": json.dumps(asdict(check), indent=1) + "\n",
        "gpu.svg": draw_bars(bars),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def _lines(check: Check) -> Iterator[str]:
    yield "# GPU check"
    yield ""
    yield f"GPU: {check.gpu}. PyTorch {check.machine['torch']}."
    yield f"Guarded tests: {check.tests or 'not run'}."
    best = fastest(check.timings)
    for network in check.networks:
        timings = check.of(network)
        reference = timings[0].seconds
        yield ""
        yield f"## {network}"
        yield ""
        yield "| way | seconds | range | times the hook loop | difference | memory (MB) | graphs |"
        yield "|---|---|---|---|---|---|---|"
        for timing in timings:
            low, high = timing.spread
            yield (
                f"| {timing.way.name} | {timing.seconds:.3f} | {low:.3f} to {high:.3f} | "
                f"{reference / timing.seconds:.2f} | {timing.difference:.1e} | {timing.memory / 1e6:.0f} | "
                f"{timing.captured} |"
            )
        if network in best:
            yield ""
            yield f"Fastest in float32: {best[network].way.name}."
    if check.skipped:
        yield ""
        yield "Not measured: " + "; ".join(check.skipped) + "."
