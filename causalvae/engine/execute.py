"""Runs a plan: shard by shard, each written before the next, so that a killed run resumes where it stopped."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from causalvae.data.dataset import Dataset
from causalvae.digest import digest
from causalvae.engine.measurements import Measurements, StoredMeasurements, sweep_partials, write_json, write_table
from causalvae.engine.outcomes import Measure
from causalvae.engine.precision import matrix_precision
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.engine.runner import PlanRunner, list_shards
from causalvae.engine.tables import FileTable, unreadable
from causalvae.engine.workers import RowCounter, Task, run_tasks, single_threaded_kernels
from causalvae.errors import CausalVAEError
from causalvae.models.loading import Model
from causalvae.plan.types import Plan


def choose_device(name: str) -> torch.device:
    """The device that a spec's ``execution.device`` names; ``auto`` takes a GPU where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise CausalVAEError(
            "CV401", "there is no CUDA device here.", "Set execution.device to cpu or auto.", "execution.device"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


@torch.inference_mode()
def execute_plan(
    plan: Plan,
    model: Model,
    dataset: Dataset,
    measure: Measure,
    folder: Path,
    device: str = "auto",
    on_progress: OnProgress = ignore_progress,
) -> Measurements:
    """Run a plan, resuming from `folder`.

    Parameters
    ----------
    plan : Plan
    model, dataset
        What it is run on.
    measure : callable
        From outputs (rows, *output_shape) to attributes (rows, k), float64, in the plan's order.
    folder : Path
        Takes the tables: ``outcomes/COHORT.NNNNN.parquet`` and ``observations/NNNNN.parquet`` a shard, then
        ``pairs.parquet``, ``images.parquet`` and ``manifest.json``. A shard whose file is there is not run again.
    device : {"auto", "cpu", "cuda"}
    on_progress : callable
        Told of rows as they finish.

    Raises
    ------
    CausalVAEError
        CV402 where `folder` holds the tables of another plan, or tables made by other versions, on another kind of
        device or from other data: they must not be mixed with new ones.
    """
    precision = str(plan.options.get("precision", "float32"))
    with single_threaded_kernels() as cores, matrix_precision(precision):
        return _execute(plan, model, dataset, measure, folder, device, on_progress, cores)


def _execute(
    plan: Plan,
    model: Model,
    dataset: Dataset,
    measure: Measure,
    folder: Path,
    device: str,
    on_progress: OnProgress,
    cores: int,
) -> Measurements:
    began = time.perf_counter()
    chosen = choose_device(device)
    _claim(folder, plan, _environment(dataset, chosen))
    runner = PlanRunner(plan, model, dataset, measure, chosen)
    # A plan that was not optimised lists an arm once for each use; it is one arm all the same.
    distinct = tuple({arm.id: arm for arm in plan.arms}.values())
    total = sum(arm.pairs for arm in distinct)
    on_rows = RowCounter(total, lambda done, of: on_progress(Progress("interventions", done, of, "rows")))

    shards = list_shards(plan, folder)
    tasks: list[Task] = []
    for cohort in plan.cohorts:
        arms = [arm for arm in distinct if arm.cohort == cohort.name]
        missing = [shard for shard in shards if shard.cohort == cohort.name and not shard.is_done]
        for shard in shards:
            if shard.cohort == cohort.name and shard.is_done:
                on_rows(sum(max(0, min(arm.pairs, shard.stop) - shard.first) for arm in arms))
        if missing:
            statistics = runner.statistics(cohort.name, arms)
            tasks += [partial(runner.write, shard, arms, statistics, on_rows) for shard in missing]
    run_tasks(tasks, cores if chosen.type == "cpu" else 1)
    table = FileTable(shard.outcomes for shard in shards)
    seen = [_read(shard.observations) for shard in shards if shard.observations]
    observations = pd.concat(seen, ignore_index=True) if seen else pd.DataFrame()

    pairs, images = runner.pairs_table(), runner.traversal_images(observations)
    write_table(pairs, folder / "pairs.parquet")
    write_table(images, folder / "images.parquet")
    patched = [arm.id for arm in distinct if arm.patches]
    # Counted from the tables, so that a resumed run tells the same as one that never stopped.
    rows_run = sum(table.live(arm) for arm in table.arms)
    sites = tuple(dict.fromkeys(patch.site for arm in distinct for patch in arm.patches))
    manifest = {
        "plan": plan.tables_digest,
        "device": str(chosen),
        "threads": cores,
        "rows": total,
        "rows_run": rows_run,
        "rows_dead": sum(table.pairs(arm) for arm in patched) - rows_run,
        "seconds": time.perf_counter() - began,
        "controls": runner.controls(sites),
    }
    write_json(manifest, folder / "manifest.json")
    sweep_partials(folder)
    return StoredMeasurements(plan, pairs, table, observations, manifest, images)


def _environment(dataset: Dataset, device: torch.device) -> dict[str, str]:
    """What, besides the plan, decides the numbers in a table."""
    return {
        "causalvae": version("causalvae"),
        "torch": torch.__version__,
        "device": device.type,
        "data": digest(dataset.describe()),
    }


def _claim(folder: Path, plan: Plan, environment: dict[str, str]) -> None:
    """Mark `folder` as this plan's, or refuse it where it is another's."""
    for name in ("outcomes", "observations", "costs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    marker = folder / "plan.json"
    if not marker.exists():
        write_json({"digest": plan.tables_digest, "environment": environment, **asdict(plan)}, marker)
        return
    try:
        held = json.loads(marker.read_text(encoding="utf-8"))
    except ValueError:
        held = {}
    if held.get("digest") != plan.tables_digest:
        raise _other_tables(folder, "holds the tables of another plan")
    differing = [key for key, value in environment.items() if held.get("environment", {}).get(key) != value]
    if differing:
        raise _other_tables(folder, f"holds tables made with another {' and another '.join(differing)}")


def _other_tables(folder: Path, fault: str) -> CausalVAEError:
    return CausalVAEError("CV402", f"{folder} {fault}.", "Name another --out folder, or delete this one.", str(folder))


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
