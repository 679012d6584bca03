"""The report of `benchmarks.scale`: tables and plots of its runs, and of the simulated cluster."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pandas as pd

from benchmarks.engine import EngineArm, all_passes
from benchmarks.networks import KL_SITES, autoencoder_kl
from benchmarks.plots import draw_log_log
from benchmarks.scale import BUDGET, Run
from benchmarks.simulation import WORKERS, DriverCosts, Sweep
from benchmarks.timing import one_thread, time_call
from benchmarks.workload import SHIPPED, Workload, assembled_workload, burgess_workload
from causalvae.engine.runner import ShardFiles, ShardTables, write_shard
from causalvae.spec.schema import ExecutionSection

_TASKS = 200
_KL_CHANNELS, _KL_PAIRS = 4, 16
_KL_SWEEP_PAIRS = 512


def write_scale(runs: Sequence[Run], machine: Machine, out: Path) -> int:
    """Write ``scale.md`` and its plots; gives 1 where a run held more than its budget."""
    budget = (ExecutionSection(memory=BUDGET).memory_bytes or 0) / 2**20
    lines = ["# Up to ten million interventions", "", *_words(budget), "", *_runs_table(runs), "", *_stages_table(runs)]
    series = {
        f"{name} grow": [(run.live, run.seconds) for run in runs if run.case.series == name]
        for name in ("pairs", "units")
    }
    (out / "scale.svg").write_text(draw_log_log(series, "live rows", "CPU seconds of a run"), encoding="utf-8")
    sweeps = find_sweeps(runs, machine)
    lines += ["", "![CPU seconds against live rows](scale.svg)", "", *_simulation(sweeps), ""]
    curves = {
        f"{sweep.name}, {pairs} pairs a shard": [(found.workers, found.makespan) for found in sweep.run(pairs)]
        for sweep, sizes in sweeps.items()
        for pairs in sizes
    }
    (out / "simulation.svg").write_text(draw_log_log(curves, "workers", "seconds of a run"), encoding="utf-8")
    lines += ["![Simulated seconds against workers](simulation.svg)", ""]
    (out / "scale.md").write_text("\n".join(lines), encoding="utf-8")
    return int(any(run.peak - run.loaded > budget for run in runs))


def _words(budget: float) -> list[str]:
    return [
        "`python -m benchmarks.scale`: whole runs of the shipped Burgess network, from the spec to the report, each in",
        "a process of its own with one thread and `execution.memory: " + BUDGET + "`. Single units are interchanged, a",
        "share of every layer; in one series the pairs grow, in the other the units. *Memory* is the largest resident",
        f"set less the one after a small run in the same process; the budget is {budget:.0f} MiB. *Other* is all but",
        "the engine's rows.",
    ]


def _runs_table(runs: Sequence[Run]) -> list[str]:
    head = (
        "interventions", "units", "pairs", "live rows", "CPU s", "µs a live row", "rows, CPU s", "other, CPU s",
        "memory, MiB", "report.html, kB", "results.json, kB", "effects and units, MB", "tables, MB",
    )  # fmt: skip
    lines = ["## Cost and memory", "", _row(head), _row(["---"] * len(head))]
    for run in runs:
        files = run.files
        parquet = files["effects.parquet"] + files["units.parquet"]
        lines.append(
            _row(
                (
                    f"{run.rows:,}", f"{run.arms:,}", f"{run.case.pairs:,}", f"{run.live:,}", f"{run.seconds:.0f}",
                    f"{1e6 * run.seconds / run.live:.0f}", f"{run.rows_seconds:.1f}",
                    f"{run.seconds - run.rows_seconds:.1f}", f"{run.peak - run.loaded:.0f}",
                    f"{files['report.html'] / 1e3:.0f}", f"{files['results.json'] / 1e3:.0f}", f"{parquet / 1e6:.1f}",
                    f"{files['tables'] / 1e6:.0f}",
                )
            )
        )  # fmt: skip
    return lines


def _stages_table(runs: Sequence[Run]) -> list[str]:
    """CPU seconds and memory of the stages that take a hundredth of some run."""
    names = list(dict.fromkeys(stage.name for run in runs for stage in run.stages))
    found = {(run.case, stage.name): stage for run in runs for stage in run.stages}
    head = ("stage", *(f"{run.rows:,}" for run in runs))
    lines = ["CPU seconds of the stages (memory in MiB):", "", _row(head), _row(["---"] * len(head))]
    for name in names:
        stages = [found.get((run.case, name)) for run in runs]
        if any(stage and stage.seconds > run.seconds / 100 for stage, run in zip(stages, runs, strict=True)):
            cells = [
                "" if stage is None else f"{stage.seconds:.1f} ({stage.peak - run.loaded:.0f})"
                for stage, run in zip(stages, runs, strict=True)
            ]
            lines.append(_row((name, *cells)))
    return lines


@dataclass(frozen=True)
class NetworkSweep:
    """A sweep of a network: its pairs, its arms, and CPU seconds of a pair, for clean runs and for all arms."""

    name: str
    pairs: int
    arms: int
    clean: float
    rows: float


@dataclass(frozen=True)
class Machine:
    """What the simulation needs in addition to the runs: costs of the driver and of a new worker, and two sweeps."""

    costs: DriverCosts
    opening: float
    sweeps: tuple[NetworkSweep, ...]


def measure_machine() -> Machine:
    """Measure the driver's costs, a new worker's, and sweeps of two networks."""
    costs, opening = measure_driver(), measure_opening()
    with one_thread():
        burgess = burgess_workload(SHIPPED[0])
        small = _seconds_a_pair(burgess, {site.name: site.units for site in burgess.sites})
        large = assembled_workload("AutoencoderKL", autoencoder_kl(), KL_SITES, _KL_CHANNELS, _KL_PAIRS, 1)
        channels = {site.name: large.model.components.site(site.name).units for site in large.sites}
        heavy = _seconds_a_pair(large, channels)
    return Machine(
        costs,
        opening,
        (
            NetworkSweep("Burgess, every channel and unit", burgess.pairs, burgess.units, *small),
            NetworkSweep("AutoencoderKL, every channel of 5 layers", _KL_SWEEP_PAIRS, sum(channels.values()), *heavy),
        ),
    )


def find_sweeps(runs: Sequence[Run], machine: Machine) -> dict[Sweep, tuple[int, ...]]:
    """The sweeps to simulate, each with the pairs of a shard: as the engine chooses them, and as few as can be."""
    largest, widest = max(runs, key=lambda run: run.rows), max(runs, key=lambda run: run.arms)
    shards, pairs = largest.shards, largest.case.pairs
    per_row = (shards.collecting + shards.writing) * len(shards.rows) / largest.rows
    per_arm = sum(stage.seconds for stage in widest.stages if stage.name == "compiling the plan") / widest.arms
    whole = NetworkSweep(
        f"{largest.rows:,} interventions", pairs, largest.arms, sum(shards.clean) / pairs, sum(shards.rows) / pairs
    )
    return {
        Sweep(
            one.name, one.pairs, one.arms, one.clean, one.rows,
            replace(machine.costs, planning=per_arm * one.arms), per_row, machine.opening,
        ): (min(shards.pairs, one.pairs), 1)
        for one in (whole, *machine.sweeps)
    }  # fmt: skip


def _seconds_a_pair(workload: Workload, units: dict[str, int]) -> tuple[float, float]:
    """CPU seconds of a pair: its clean runs, and all `units` of each site, scaled from those that the workload has."""
    engine = EngineArm(workload, all_passes())
    engine.run(workload.sites[0], [0])
    clean = min(time_call(engine.run_clean)[0] for _ in range(3))
    rows = 0.0
    for site in workload.sites:
        spent = min(time_call(partial(engine.run, site, range(site.units)))[0] for _ in range(2))
        rows += max(0.0, spent - clean) * units[site.name] / site.units
    return clean / workload.pairs, rows / workload.pairs


def measure_driver() -> DriverCosts:
    """What a shard of one row costs the driver: CPU seconds of sending it to Ray, and of fetching and writing it."""
    import ray

    from causalvae.engine.backends.ray import _connect

    frame = pd.DataFrame({"arm": pd.Categorical(["0" * 16]), "pair": [0], "area": [0.0], "image_sq": [0.0]})
    empty = ShardTables(frame.assign(image_dot=0.0, live=True), None, ())

    def answer(key: str, versions: dict[str, str], package: list[object], shard: ShardFiles) -> ShardTables:
        return empty

    with tempfile.TemporaryDirectory() as folder, _connect(None, 1):
        place = Path(folder)
        shard = ShardFiles("resize", 0, 1, place / "outcomes.parquet", None, place / "costs.json")
        task = ray.remote(num_cpus=1)(answer)
        package = ray.put(b"")
        ray.get(task.remote("", {}, [package], shard))
        began = time.process_time()
        sent = [task.remote("", {}, [package], shard) for _ in range(_TASKS)]
        sending = time.process_time() - began
        began = time.process_time()
        for reference in sent:
            write_shard(shard, ray.get(reference))
        receiving = time.process_time() - began
    return DriverCosts(0.0, sending / _TASKS, receiving / _TASKS)


def measure_opening() -> float:
    """CPU seconds of a new worker until it can run a shard: imports and capture."""
    code = (
        "from benchmarks.workload import SHIPPED, burgess_workload\n"
        "import causalvae.engine.backends.ray\n"
        "burgess_workload(SHIPPED[0], 2)\n"
    )
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=Path(__file__).resolve().parents[1])
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _simulation(sweeps: dict[Sweep, tuple[int, ...]]) -> list[str]:
    first = next(iter(sweeps))
    lines = [
        "## A cluster of 1,000 workers, simulated",
        "",
        "`benchmarks/simulation.py` plays the Ray backend's driver and workers event by event. All that takes time",
        f"was measured here: a shard costs the driver {1e3 * first.costs.sending:.2f} ms to send, to receive and write",
        f"{1e3 * first.costs.receiving:.2f} ms and {1e6 * first.receiving:.2f} µs for each row of it; a new worker",
        f"needs {first.opening:.1f} s. The network between machines is not in it. A shard has all arms of some pairs:",
        "there are no more shards than pairs. *Limit* is the number of workers that would keep the driver busy all",
        "the time if there were enough shards.",
        "",
    ]
    head = (
        "sweep",
        "pairs a shard",
        "shards",
        "s a shard",
        "driver, ms a shard",
        "limit",
        *(f"{w:,}" for w in WORKERS),
    )
    lines += [_row(head), _row(["---"] * len(head))]
    for sweep, sizes in sweeps.items():
        for pairs in sizes:
            shards, costs = sweep.shards(pairs)
            makespans = [f"{found.makespan:.3g} s ({100 * found.driver:.0f} %)" for found in sweep.run(pairs)]
            lines.append(
                _row(
                    (
                        sweep.name, f"{pairs}", f"{len(shards):,}", f"{sum(shards) / len(shards):.3g}",
                        f"{1e3 * costs.each:.3g}", f"{sweep.limit(pairs):,.0f}", *makespans,
                    )
                )
            )  # fmt: skip
    return [
        *lines,
        "",
        "The last columns: seconds of the run with so many workers, and how much of it the driver is busy.",
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
