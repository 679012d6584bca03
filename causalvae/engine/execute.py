"""Runs a plan: shard by shard, each written before the next, so that a killed run resumes where it stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from causalvae.data.dataset import Dataset
from causalvae.digest import digest
from causalvae.engine.backends.backend import Backend, Work
from causalvae.engine.backends.opening import open_backend
from causalvae.engine.clock import busy_seconds
from causalvae.engine.cohorts import tabulate_split
from causalvae.engine.contrasts import measure_contrasts
from causalvae.engine.effort import Extents
from causalvae.engine.measurements import Measurements, StoredMeasurements, write_table
from causalvae.engine.outcomes import Measure
from causalvae.engine.packing import pack_for, settle_shards
from causalvae.engine.plan_files import claim_folder, write_arms
from causalvae.engine.precision import matrix_precision
from causalvae.engine.progress import Counter, OnProgress, ignore_progress
from causalvae.engine.recovery import discard_damaged, record_checksums
from causalvae.engine.response_table import join_frames
from causalvae.engine.runner import PlanRunner, list_shards, write_shard
from causalvae.engine.screening import leave_out, screen_components
from causalvae.engine.shards import EXACT_CONTROLS, OVERHEADS, GroupCost
from causalvae.engine.statistics import merge
from causalvae.engine.subspaces.learning import learn_subspaces, learned_statistics
from causalvae.engine.suffix import Ledger
from causalvae.engine.tables import FileTable, read_table
from causalvae.engine.workers import single_threaded_kernels
from causalvae.errors import CausalVAEError
from causalvae.files import make_folder, read_json, remove_stale, write_json
from causalvae.models.loading import Model
from causalvae.plan.relays import with_inner
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
    backend: Backend | None = None,
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
        Takes the tables: ``arms.parquet``, ``outcomes/COHORT.NNNNN.parquet``, ``observations/NNNNN.parquet`` and
        ``responses/DIGEST.NNNNN.parquet`` a shard, then ``pairs.parquet``, ``split.parquet`` (of finite data: which
        part each sample is in) and ``manifest.json``. A shard whose file is there is not run again. Where
        the plan screens sweeps, ``screens.parquet`` comes before all of them, and so does ``subspaces.parquet`` where
        it learns subspaces. Every file carries a checksum; one that is damaged is reported and measured again.
    device : {"auto", "cpu", "cuda"}
    on_progress : callable
        Told of rows as they finish.
    backend : Backend, optional
        Where shards are run; this machine where omitted. It changes no number.

    Raises
    ------
    CausalVAEError
        CV402 where `folder` holds the tables of another plan, or tables made by other versions, on another kind of
        device or from other data: they must not be mixed with new ones. CV434 to CV436 where a subspace cannot be
        learned.
    """
    precision = plan.options.precision
    with single_threaded_kernels() as cores, matrix_precision(precision):
        chosen = open_backend("local") if backend is None else backend
        return _execute(plan, model, dataset, measure, folder, device, on_progress, chosen, cores)


def _execute(
    plan: Plan,
    model: Model,
    dataset: Dataset,
    measure: Measure,
    folder: Path,
    device: str,
    on_progress: OnProgress,
    backend: Backend,
    cores: int,
) -> Measurements:
    began = time.perf_counter()
    chosen = choose_device(device)
    for name in ("outcomes", "observations", "costs", "responses"):
        make_folder(folder / name, below=folder)
    claim_folder(folder, plan, _environment(dataset, chosen))
    discard_damaged(folder)
    workers = cores if chosen.type == "cpu" else 1
    scores = screen_components(plan, model, dataset, measure, chosen, folder, workers, on_progress)
    learned = learn_subspaces(plan, model, dataset, measure, chosen, folder, workers, on_progress)
    remaining = pack_for(leave_out(plan, scores), model, chosen, workers)
    remaining = settle_shards(remaining, folder / "packing.json")
    runner = PlanRunner(remaining, model, dataset, measure, chosen)
    # A plan that was not optimised lists an arm once for each use; it is one arm all the same.
    distinct = tuple({arm.id: arm for arm in remaining.arms}.values())
    total = sum(arm.pairs for arm in distinct)
    if not (folder / "arms.parquet").exists():
        write_arms(distinct, folder / "arms.parquet")

    shards = list_shards(remaining, folder, runner.responses)
    missing = [shard for shard in shards if not shard.is_done]
    arms = {cohort.name: [arm for arm in distinct if arm.cohort == cohort.name] for cohort in plan.cohorts}
    unfinished = dict.fromkeys(shard.cohort for shard in missing)
    clock = busy_seconds(chosen)
    statistics = {
        name: merge(runner.statistics(name, arms[name]), learned_statistics(plan, name, learned)) for name in unfinished
    }
    overheads = busy_seconds(chosen) - clock
    extents = Extents(arms, remaining, model.components)
    count = Counter("interventions", "rows", *extents.total, on_progress)
    for shard in shards:
        if shard.is_done:
            count.skip(*extents.within(shard.cohort, shard.first, shard.stop))
    backend.run(Work(runner, missing, arms, statistics, write_shard, count, extents, cores))
    table = FileTable(shard.outcomes for shard in shards)
    seen = [read_table(shard.observations) for shard in shards if shard.observations]
    observations = pd.concat(seen, ignore_index=True) if seen else pd.DataFrame()

    pairs = runner.pairs_table()
    write_table(pairs, folder / "pairs.parquet")
    split = tabulate_split(dataset, plan.split)
    if split is not None:
        write_table(split, folder / "split.parquet")
    patched = [arm.id for arm in distinct if arm.patches]
    # Counted from the tables, so that a resumed run tells the same as one that never stopped.
    rows_run = sum(table.live(arm) for arm in table.arms)
    sites = tuple(dict.fromkeys(patch.site for arm in with_inner(distinct) for patch in arm.patches))
    clock = busy_seconds(chosen)
    read = [(shard, shard.responses) for shard in shards if shard.responses is not None]
    runner.read_responses([shard for shard, path in read if not path.exists()])
    responses = join_frames([read_table(path) for _, path in read])
    contrasts = measure_contrasts(runner, folder, on_progress)
    overheads += busy_seconds(chosen) - clock
    clock = busy_seconds(chosen)
    ledger = Ledger()
    controls = runner.controls(sites, ledger)
    if missing:
        costs = [GroupCost("both", OVERHEADS, 0, 0, 0, overheads)]
        if controls:
            rows, seconds = controls["rows"], busy_seconds(chosen) - clock
            costs.append(GroupCost("both", EXACT_CONTROLS, 0, rows, rows, seconds, ledger.flops, ledger.bytes))
        _note(folder / "costs", costs)
    manifest = {
        "plan": plan.tables_digest,
        "device": str(chosen),
        "threads": cores,
        "rows": total,
        "rows_run": rows_run,
        "rows_dead": sum(table.pairs(arm) for arm in patched) - rows_run,
        "shard_pairs": remaining.shard_pairs,
        "batch_rows": min((_batch_rows(shard.costs) for shard in shards if shard.costs.exists()), default=0),
        "seconds": time.perf_counter() - began,
        "controls": controls,
        "files": record_checksums(folder),
    }
    write_json(manifest, folder / "manifest.json")
    remove_stale(folder)
    return StoredMeasurements(
        plan,
        pairs,
        table,
        observations,
        manifest,
        screens=scores,
        responses=responses,
        subspaces=learned,
        contrasts=contrasts,
    )


def _batch_rows(costs: Path) -> int:
    """How many rows were run at once in a shard, as its run noted."""
    return int(read_json(costs)["batch_rows"])


def _note(folder: Path, costs: Sequence[GroupCost]) -> None:
    """Note what a session spent in addition to its shards; a run that went on after it was killed has several."""
    write_json({"costs": [asdict(cost) for cost in costs]}, folder / f"session.{time.time_ns()}.json")


def _environment(dataset: Dataset, device: torch.device) -> dict[str, str]:
    """What, in addition to the plan, decides the numbers in a table."""
    return {
        "causalvae": version("causalvae"),
        "torch": torch.__version__,
        "device": device.type,
        "data": digest(dataset.describe()),
    }
