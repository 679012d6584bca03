"""Writes what was measured: Markdown for readers, CSV and JSON for programs, SVG for eyes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.floor import Floor
from benchmarks.latency import Latency
from benchmarks.memory import Peak
from benchmarks.networks import NetworkResult
from benchmarks.peers import TUNED
from benchmarks.plots import draw_curves, draw_sweeps
from benchmarks.profiling import Profile
from benchmarks.scaling import Scaling
from benchmarks.sweep import ArmResult, SweepResult
from benchmarks.workload import OUTCOMES

TOLERANCE = 1e-5


@dataclass
class Results:
    """Everything that one run measured.

    Parameters
    ----------
    machine, settings : dict
    sweeps : list of SweepResult
    floors, profiles : dict
        By network.
    scaling : Scaling or None
    latency, peaks, networks : list
    skipped : list of str
        What could not be measured here, and why.
    """

    machine: dict[str, Any]
    settings: dict[str, Any]
    sweeps: list[SweepResult] = field(default_factory=list)
    floors: dict[str, Floor] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    scaling: Scaling | None = None
    latency: list[Latency] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    networks: list[NetworkResult] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def best_peer(sweep: SweepResult) -> ArmResult:
    """The fastest arm that is neither this engine nor tuned beyond what its users do."""
    peers = [arm for arm in sweep.arms.values() if not is_engine(arm.name) and arm.name not in TUNED]
    return min(peers, key=lambda arm: arm.total)


def engine_of(sweep: SweepResult) -> ArmResult:
    """The engine with all passes."""
    return [arm for arm in sweep.arms.values() if is_engine(arm.name)][-1]


def is_engine(name: str) -> bool:
    """Whether an arm is this engine."""
    return name.startswith("engine")


def agrees(sweep: SweepResult) -> bool:
    """Whether every arm is within `TOLERANCE` of the hook loop."""
    return all(max(arm.difference) <= TOLERANCE for arm in sweep.arms.values())


def write_results(results: Results, folder: Path) -> list[Path]:
    """Write all files; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "results.md": render_markdown(results),
        "results.json": json.dumps(asdict(results), indent=1),
        "sweep.svg": draw_sweeps(results.sweeps, results.floors),
    }
    if results.scaling is not None:
        files["scaling.svg"] = draw_curves(results.scaling.curves)
    written = []
    for name, text in files.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    path = folder / "sweep.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["network", "arm", "site", "round", "cpu_seconds", "live_rows"])
        for sweep in results.sweeps:
            for arm in sweep.arms.values():
                for site, values in arm.seconds.items():
                    for turn, value in enumerate(values):
                        writer.writerow([sweep.workload, arm.name, site, turn, f"{value:.6f}", arm.live.get(site, "")])
    return [*written, path]


def render_markdown(results: Results) -> str:
    """The report."""
    parts = ["# What was measured", _conditions(results)]
    if results.sweeps:
        parts += ["## Full sweep", _headline(results)]
        parts += [_arms(sweep, results.floors.get(sweep.workload)) for sweep in results.sweeps]
    if results.floors:
        parts += ["## Floor", _floor(results)]
    if results.profiles:
        parts += [
            "## Where the engine's time goes",
            *(_profile(name, value) for name, value in results.profiles.items()),
        ]
    if results.scaling is not None:
        parts += ["## Scaling", _scaling(results.scaling)]
    if results.peaks:
        parts += ["## Peak memory", _peaks(results.peaks)]
    if results.latency:
        parts += ["## One pair, one intervention", _latency(results.latency)]
    if results.networks:
        parts += ["## Further networks", _networks(results.networks)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _conditions(results: Results) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in results.machine.items())
    settings = ", ".join(f"{key} {value}" for key, value in results.settings.items())
    text = (
        f"Machine: {machine}. Settings: {settings}.\n\n"
        "All times are CPU time of one thread. Peers run the plain module in torch's default memory layout under "
        "`torch.no_grad`. All arms run in one process: sites in random order, at each site the arms by turns. A figure "
        "is the median over rounds of each site, summed over sites, with what the arm pays once."
    )
    if results.skipped:
        text += "\n\nSkipped: " + "; ".join(results.skipped) + "."
    return text


def _headline(results: Results) -> str:
    rows = []
    for sweep in results.sweeps:
        engine, peer = engine_of(sweep), best_peer(sweep)
        live = sum(engine.live.values()) / (sweep.units * sweep.pairs) if engine.live else float("nan")
        floor = results.floors.get(sweep.workload)
        rows.append(
            [
                sweep.workload,
                f"{live:.2f}",
                f"{sweep.arms['hook loop'].total:.1f}",
                f"{peer.total:.1f} ({peer.name})",
                f"{engine.total:.1f}",
                f"**{peer.total / engine.total:.1f}x**",
                "" if floor is None else f"{floor.seconds:.1f}",
                "" if floor is None else f"{engine.total / floor.seconds:.2f}",
                "" if floor is None else f"{peer.total / floor.seconds:.1f}x",
                "yes" if agrees(sweep) else "NO",
            ]
        )
    head = [
        *("network", "live rows", "hook loop, s", "best peer, s", "engine, s", "engine against best peer"),
        *("floor, s", "engine / floor", "best peer / floor", f"all within {TOLERANCE:g}"),
    ]
    return table(head, rows)


def _arms(sweep: SweepResult, floor: Floor | None) -> str:
    peer = best_peer(sweep)
    rows = []
    for arm in sweep.arms.values():
        low, high = arm.spread
        rows.append(
            [
                arm.name,
                f"{arm.total:.1f}",
                f"{low:.1f} to {high:.1f}",
                f"{peer.total / arm.total:.2f}x",
                str(arm.units_run),
                *(f"{value:.1e}" for value in arm.difference),
                f"{arm.setup:.2f}",
            ]
        )
    head = [
        *("arm", "CPU s", "single rounds", "against best peer", "units run"),
        *(f"difference, {name}" for name in OUTCOMES),
        "paid once, s",
    ]
    text = f"### {sweep.workload}: {sweep.units} units x {sweep.pairs} pairs\n\n{table(head, rows)}\n\n"
    text += (
        "Where fewer units were run than the sweep has, times are scaled to whole sites. A difference is the largest "
        "absolute one from the hook loop, divided by the larger of that row's outcome and the outcome's root mean "
        "square over unpatched counterfactuals. *Paid once*: clean runs (peers: once a site). "
    )
    text += (
        "Beside it the engine pays: " + ", ".join(f"{name} {value:.2f} s" for name, value in sweep.costs.items()) + "."
    )
    if sweep.missing:
        text += f" Not installed: {', '.join(sweep.missing)}."
    engine = engine_of(sweep)
    if floor is not None and engine.live:
        same = engine.live == floor.live
        text += f" Live rows counted by the engine and from the clean values {'agree' if same else 'DISAGREE'}."
    return text


def _floor(results: Results) -> str:
    rows = [
        [
            name,
            f"{floor.seconds:.2f}",
            f"{floor.entry_free:.2f}",
            f"{floor.full_seconds:.2f}",
            f"{floor.measuring:.2f}",
            f"{sum(floor.live.values())}",
        ]
        for name, floor in results.floors.items()
    ]
    head = ["network", "floor, s", "first layer free, s", "all rows live, s", "of it measuring, s", "live rows"]
    speeds = {speed.operation: speed for floor in results.floors.values() for speed in floor.speeds}
    best = [
        [speed.operation, f"{1e6 * speed.seconds:.2f}", f"{speed.gigaflops:.1f}", str(speed.rows), speed.form]
        for speed in sorted(speeds.values(), key=lambda speed: -speed.seconds)
    ]
    return (
        "Live rows' downstream operations, each alone at its best batch size, layout and form, and the outcome "
        "measure. *First layer free*: as if the layer that a patched channel enters cost nothing.\n\n"
        + table(head, rows)
        + "\n\n"
        + table(["operation", "best, µs a row", "GFLOP/s", "rows", "form"], best)
    )


def _profile(name: str, profile: Profile) -> str:
    kernels = table(["kernels", "share"], ([kind, f"{share:.1%}"] for kind, share in profile.kernels.items()))
    functions = table(
        ["function", "with what it calls, s", "own, s"],
        ([label, f"{total:.2f}", f"{own:.2f}"] for label, total, own in profile.functions),
    )
    return (
        f"### {name}\n\nThe sweep took {profile.seconds:.1f} s plain, with clean runs at every site.\n\n"
        f"{kernels}\n\n{functions}"
    )


def _scaling(scaling: Scaling) -> str:
    curves = table(
        ["against", "arm", "exponent ± standard error", "sizes", "CPU s"],
        (
            [
                curve.name,
                curve.arm,
                f"{curve.exponent.slope:.2f} ± {curve.exponent.error:.2f}",
                ", ".join(map(str, curve.sizes)),
                ", ".join(f"{value:.3g}" for value in curve.seconds),
            ]
            for curve in scaling.curves
        ),
    )
    live = table(
        ["random subsets of", "µs a live row ± standard error", "R² of CPU time on live rows", "live rows"],
        (
            [
                found.site,
                f"{1e6 * found.line.slope:.0f} ± {1e6 * found.line.error:.0f}",
                f"{found.line.r_squared:.3f}",
                f"{min(found.rows)} to {max(found.rows)}",
            ]
            for found in scaling.live
        ),
    )
    return f"{curves}\n\n{live}"


def _peaks(peaks: Sequence[Peak]) -> str:
    return table(
        ["arm", "site", "loaded, MB", "peak, MB", "sweep's own, MB"],
        ([peak.arm, peak.site, f"{peak.before:.0f}", f"{peak.after:.0f}", f"{peak.extra:.0f}"] for peak in peaks),
    )


def _latency(found: Sequence[Latency]) -> str:
    return table(
        ["arm", "site", "intervention alone, CPU ms", "with both clean runs, CPU ms"],
        ([item.arm, item.site, f"{item.intervention:.1f}", f"{item.from_nothing:.1f}"] for item in found),
    )


def _networks(found: Sequence[NetworkResult]) -> str:
    rows = []
    for network in found:
        for site, seconds in network.hooks.items():
            mine = network.engine[site]
            rows.append([network.network, site, f"{seconds:.2f}", f"{mine:.2f}", f"{seconds / mine:.1f}x", ""])
        rows.append(
            [
                network.network,
                f"all, with clean runs ({network.units} units x {network.pairs} pairs, live {network.live:.2f})",
                f"{sum(network.hooks.values()) + network.prepared:.2f}",
                f"{sum(network.engine.values()) + network.clean:.2f}",
                f"**{network.ratio:.1f}x**",
                ", ".join(f"{value:.1e}" for value in network.difference)
                + (" (NOT within 1e-05)" if max(network.difference) > TOLERANCE else ""),
            ]
        )
    return table(["network", "site", "hook loop, s", "engine, s", "ratio", "difference"], rows)
