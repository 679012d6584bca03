"""What the data themselves say of the plan's contrasts: attributes on the inputs, and factors that were released.

No network is run for it: this is the column that a network's effects are compared with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causalvae.data.factors import Rows
from causalvae.data.others import Release
from causalvae.engine.measurements import write_table
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import shard_bounds
from causalvae.engine.tables import read_table
from causalvae.plan.types import OUTPUT, Contrast

_ROWS = 64
_STAGE = "measuring the inputs"


def measure_contrasts(runner: PlanRunner, folder: Path, on_progress: OnProgress = ignore_progress) -> pd.DataFrame:
    """The contrasts table of the runner's plan, read from `folder` where it is there; see `measurements`.

    Parameters
    ----------
    runner : PlanRunner
    folder : Path
        Takes ``contrasts.parquet``.
    on_progress : callable
        Told of each factor.
    """
    contrasts = runner.plan.contrasts
    if not contrasts:
        return pd.DataFrame()
    path = folder / "contrasts.parquet"
    if path.exists():
        return read_table(path)
    parts = []
    for done, contrast in enumerate(contrasts):
        on_progress(Progress(_STAGE, done, len(contrasts), "factors"))
        parts.append(_measure(contrast, runner))
    on_progress(Progress(_STAGE, len(contrasts), len(contrasts), "factors"))
    table = pd.concat(parts, ignore_index=True)
    write_table(table, path)
    return table


def _measure(contrast: Contrast, runner: PlanRunner) -> pd.DataFrame:
    rows = {side: drawn[: contrast.pairs] for side, drawn in runner.cohorts[contrast.cohort].rows.items()}
    pairs = len(rows["base"])
    frame: dict[str, Any] = {"factor": np.repeat(contrast.factor, pairs), "pair": np.arange(pairs)}
    dataset, names = runner.dataset, runner.dataset.space.names
    for side, drawn in rows.items():
        for name, column in _on_inputs(drawn, runner).items():
            frame[f"{side}:{name}"] = column
        values = dataset.values(drawn)
        for name in names:
            frame[f"{side}:factor:{name}"] = values[:, names.index(name)]
    for name in contrast.released:
        # Released alone: all other declared factors are held.
        others = Release((name, *contrast.undeclared))
        to = dataset.values(rows["counterfactual"])[:, names.index(contrast.factor)]
        moved = dataset.intervene(rows["base"], contrast.factor, to, others)
        frame[f"released:{name}"] = dataset.values(moved)[:, names.index(name)]
    key = None if contrast.donors is None else contrast.donors.donor_key("base")
    if key is not None:
        donors = dataset.values(runner.donors(contrast.cohort, key).rows[:pairs])
        for name in names:
            frame[f"donor:factor:{name}"] = donors[:, names.index(name)]
    return pd.DataFrame(frame)


def _on_inputs(rows: Rows, runner: PlanRunner) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Every attribute that is no latent, measured on the inputs themselves."""
    plan = runner.plan
    measured = [name for name in plan.attributes if name not in plan.latent_attributes]
    if OUTPUT not in plan.outputs or not measured:
        return {}
    parts = []
    for first, stop in shard_bounds(len(rows), _ROWS):
        target = runner.model.vae.target(runner.dataset.inputs(rows[first:stop]).to(runner.device))
        parts.append(runner.measure(target.float()).double().cpu().numpy())
    values = np.concatenate(parts)
    return {name: values[:, position] for position, name in enumerate(measured)}
