"""Measures the contrasts of a plan on the data: attributes of the inputs, and released factors.

No network is run; the effects of a network are compared with these values.
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
    """The contrasts table of the plan, read from `folder` if stored there; see `measurements`.

    Parameters
    ----------
    runner : PlanRunner
    folder : Path
        Folder of ``contrasts.parquet``.
    on_progress : callable
        Called after each factor.
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
        # Only this factor is released; all other declared ones are held constant.
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
    """All attributes except latents, measured on the inputs: name -> (rows,)."""
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
