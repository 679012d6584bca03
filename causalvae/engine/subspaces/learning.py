"""Learns the subspaces of a plan and stores them before arms that use them are run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from causalvae.data.dataset import Dataset
from causalvae.engine.clock import busy_seconds
from causalvae.engine.measurements import write_table
from causalvae.engine.outcomes import Measure
from causalvae.engine.progress import Counter, OnProgress
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import OVERHEADS, GroupCost
from causalvae.engine.subspaces.interchanges import Interchanges, donor_keys
from causalvae.engine.subspaces.null_space import find_unread
from causalvae.engine.subspaces.search import learn_directions
from causalvae.engine.tables import read_table
from causalvae.engine.values import BasisKey, Statistics, basis_key, random_basis
from causalvae.files import write_json
from causalvae.models.components import ComponentMap
from causalvae.models.loading import Model
from causalvae.models.program import Program
from causalvae.plan.learned import LearnedPart, learned_parts
from causalvae.plan.types import Arm, Learning, Patch, Plan, Subspace

FILE = "subspaces.parquet"


def learn_subspaces(
    plan: Plan,
    model: Model,
    dataset: Dataset,
    measure: Measure,
    device: torch.device,
    folder: Path,
    workers: int,
    on_progress: OnProgress,
) -> pd.DataFrame:
    """Learn all subspaces of the arms of a plan, or read them from `folder`.

    Parameters
    ----------
    plan : Plan
    model, dataset, measure, device
        See `causalvae.engine.execute.execute_plan`.
    folder : Path
        Folder of ``subspaces.parquet``, which is read if present, so that a resumed run uses the same directions.
    workers : int
        Number of threads.
    on_progress : callable

    Returns
    -------
    DataFrame
        See `Measurements.subspaces`.

    Raises
    ------
    CausalVAEError
        CV406 if the file cannot be read, CV434 to CV436 if directions cannot be learned.
    """
    path, parts = folder / FILE, learned_parts(plan)
    if not parts:
        return pd.DataFrame()
    if path.exists():
        return read_table(path)
    runner = PlanRunner(plan, model, dataset, measure, device)
    searches = [_learning(part.patch) for part in parts]
    steps = sum((1 + learned.restarts) * learned.steps for learned in searches)
    count = Counter("learning directions", "steps", steps, steps, on_progress)
    count.skip(0, 0)
    # CPU time of all threads, or time of the GPU.
    clock = partial(busy_seconds, device) if device.type == "cuda" else time.process_time
    began = clock()
    # Gradients cannot be computed for tensors made in inference mode.
    with torch.inference_mode(False):
        graph = model.graph.to(device)
        rows = [_learn(part, plan, runner, graph, workers, count) for part in parts]
    cost = GroupCost("both", OVERHEADS, 0, 0, 0, clock() - began)
    write_json({"costs": [asdict(cost)]}, folder / "costs" / "subspaces.learned.json")
    table = pd.DataFrame(rows)
    write_table(table, path)
    return table


def _learn(
    part: LearnedPart, plan: Plan, runner: PlanRunner, graph: Program, workers: int, count: Counter
) -> dict[str, Any]:
    patch, learned = part.patch, _learning(part.patch)
    keys = donor_keys(learned)
    inputs = runner.split(part.cohort, learned.seed, learned.pairs, "subspace", keys)
    problem = Interchanges(graph, runner.components, patch, inputs, plan, runner.measure)
    found = learn_directions(problem, _dim(patch), workers, lambda steps: count(steps, steps))
    unread = find_unread(problem, runner.components.site(patch.site).node, patch)
    return {
        "id": part.id,
        "cohort": part.cohort,
        "site": patch.site,
        "units": list(range(problem.units)) if patch.units is None else list(patch.units),
        "window": [list(span) for span in patch.window],
        "dim": found.basis.shape[1],
        "basis": found.basis.cpu().numpy().astype(np.float32).flatten(),
        "objective": learned.objective,
        "donors": "" if learned.given is None else learned.given,
        "pairs": len(problem.pairs),
        "start": found.start,
        "first_loss": found.first_loss,
        "loss": found.loss,
        "null_space_share": unread.share(found.basis),
        "null_space_dim": unread.basis.shape[1],
        "null_space_how": unread.how,
    }


def _learning(patch: Patch) -> Learning:
    if patch.subspace is None or patch.subspace.learned is None:
        raise ValueError("nothing is learned here")
    return patch.subspace.learned


def _dim(patch: Patch) -> int:
    return 0 if patch.subspace is None else patch.subspace.dim


def learned_statistics(plan: Plan, cohort: str, table: pd.DataFrame) -> dict[str, Statistics]:
    """The learned directions for the patches of a cohort, by site.

    Parameters
    ----------
    plan : Plan
    cohort : str
    table : DataFrame
        From `learn_subspaces`.
    """
    parts = [part for part in learned_parts(plan) if part.cohort == cohort]
    known = {row.id: row for row in table.itertuples()} if parts else {}
    return _by_site((part.patch, _basis(known[part.id])) for part in parts)


def standing_statistics(arms: Iterable[Arm], components: ComponentMap) -> dict[str, Statistics]:
    """Random directions instead of learned ones, to measure costs before learning."""
    patches = {key: patch for arm in arms for patch in arm.patches if (key := basis_key(patch)) is not None}
    return _by_site((patch, _any_basis(patch, components)) for patch in patches.values())


def _by_site(found: Iterable[tuple[Patch, Tensor]]) -> dict[str, Statistics]:
    known: dict[str, dict[BasisKey, Tensor]] = {}
    for patch, basis in found:
        key = basis_key(patch)
        if key is not None:
            known.setdefault(patch.site, {})[key] = basis
    return {site: Statistics(bases=bases) for site, bases in known.items()}


def _basis(row: Any) -> Tensor:
    """The directions in a row of the table, float32, (units, dim)."""
    return torch.from_numpy(np.array(row.basis, np.float32).reshape(-1, row.dim))


def _any_basis(patch: Patch, components: ComponentMap) -> Tensor:
    units = components.site(patch.site).units if patch.units is None else len(patch.units)
    return random_basis(Subspace(_dim(patch), 0), units).float()
