"""First-order screening: ranks all components of a sweep by gradients, so that only the best need be run exactly.

The score of a component is the mean of its |attribution| (see `causalvae.engine.attribution`) over pairs of their own,
which no effect is measured on. The best are *kept* and run exactly; of the rest some, drawn at random, are *checked*:
run exactly as well, so that it can be told how many of the best a screen misses. Scores and choices are written before
anything that was chosen is run, and read again when a run goes on.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from causalvae.data.dataset import Dataset
from causalvae.digest import digest
from causalvae.engine.attribution import Attribution
from causalvae.engine.measurements import write_table
from causalvae.engine.outcomes import Measure
from causalvae.engine.progress import Counter, OnProgress
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import GroupCost, shard_bounds
from causalvae.engine.tables import read_table
from causalvae.engine.workers import run_tasks
from causalvae.files import write_json
from causalvae.models.loading import Model
from causalvae.models.program import Program
from causalvae.plan.owner import Owner
from causalvae.plan.screens import needed_elsewhere, restrict_arms
from causalvae.plan.types import Arm, Plan, Screen

FloatArray = npt.NDArray[np.float64]

FILE = "screens.parquet"
KEPT, CHECKED, LEFT_OUT = "kept", "checked", "left out"
# Pairs that are taken together, whatever the plan's shards, so that scores do not depend on these.
_PAIRS = 64


def screen_components(
    plan: Plan,
    model: Model,
    dataset: Dataset,
    measure: Measure,
    device: torch.device,
    folder: Path,
    workers: int,
    on_progress: OnProgress,
) -> pd.DataFrame:
    """Rank the candidates of every screen of a plan, or read how they were ranked.

    Parameters
    ----------
    plan : Plan
    model, dataset, measure, device
        What it is run on, as `causalvae.engine.execute.execute_plan` has them.
    folder : Path
        Takes ``screens.parquet``; where it is there, it is read. ``costs`` below it takes what each screen took.
    workers : int
        Threads to use.
    on_progress : callable

    Returns
    -------
    DataFrame
        One row a candidate, in the sweep's order: ``owner``, ``side``, ``arm``, ``component``, ``granularity`` (str),
        ``attribution`` (float, the score, in units of the outcome), ``selected`` (``kept``, ``checked`` or ``left
        out``).

    Raises
    ------
    CausalVAEError
        CV406 where the file cannot be read.
    """
    path = folder / FILE
    if not plan.screens:
        return pd.DataFrame()
    if path.exists():
        return read_scores(path)
    runner = PlanRunner(plan, model, dataset, measure, device).on_part("select")
    # Gradients are taken through the network's own operations, which what was made in inference mode would refuse.
    with torch.inference_mode(False):
        graph = model.graph.to(device)
    arms = {arm.id: arm for arm in plan.arms}
    uses_of = {screen: plan.candidates(screen) for screen in plan.screens}
    pairs = {screen: _pairs_of(arms[uses[0].arm], runner) for screen, uses in uses_of.items()}
    effort = sum(pairs[screen] * screen.steps for screen in plan.screens)
    count = Counter("screening", "pairs", sum(pairs.values()), effort, on_progress)
    # Told before the first pairs are done, so that the stage's time counts from here.
    count.skip(0, 0)
    frames = []
    for screen, uses in uses_of.items():
        candidates = [arms[use.arm] for use in uses]
        scores = _score(screen, candidates, runner, graph, folder, workers, count)
        frames.append(
            pd.DataFrame(
                {
                    "owner": str(screen.owner),
                    "side": screen.side,
                    "arm": [use.arm for use in uses],
                    "component": [use.component.label for use in uses],
                    "granularity": [use.granularity for use in uses],
                    "attribution": scores,
                    "selected": choose(scores, screen),
                }
            )
        )
    table = pd.concat(frames, ignore_index=True)
    write_table(table, path)
    return table


def read_scores(path: Path) -> pd.DataFrame:
    """The table that `screen_components` wrote; raises `CausalVAEError` CV406 where it cannot be read."""
    return read_table(path)


def leave_out(plan: Plan, scores: pd.DataFrame) -> Plan:
    """The part of a plan that is run: without the arms that only screens ask for, and that these omitted.

    Parameters
    ----------
    plan : Plan
    scores : DataFrame
        As `screen_components` gives it.
    """
    if not plan.screens:
        return plan
    chosen = scores.loc[scores["selected"] != LEFT_OUT, "arm"]
    return restrict_arms(plan, needed_elsewhere(plan).union(chosen))


def choose(scores: FloatArray, screen: Screen) -> npt.NDArray[np.object_]:
    """``kept`` for the best candidates, ``checked`` for a seeded random sample of the others, else ``omitted``.

    Of equal scores the first counts as better; a score that is not a number counts as worst.
    """
    order = np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable")
    chosen = np.full(len(scores), LEFT_OUT, dtype=object)
    chosen[order[: screen.kept]] = KEPT
    rest = np.flatnonzero(chosen == LEFT_OUT)
    # Each screen of a plan draws its own sample.
    rng = np.random.default_rng([screen.seed, int(digest([str(screen.owner), screen.side]), 16)])
    chosen[rng.choice(rest, size=screen.checked, replace=False)] = CHECKED
    return chosen


def _score(
    screen: Screen,
    candidates: list[Arm],
    runner: PlanRunner,
    graph: Program,
    folder: Path,
    workers: int,
    count: Counter,
) -> FloatArray:
    cohort, pairs = candidates[0].cohort, _pairs_of(candidates[0], runner)
    attribution = Attribution(screen, candidates, runner, graph, runner.statistics(cohort, candidates))
    bounds = shard_bounds(pairs, _PAIRS)
    found: list[FloatArray] = [np.empty(0)] * len(bounds)
    seconds = [0.0] * len(bounds)

    def run(number: int) -> None:
        began = time.thread_time()
        first, stop = bounds[number]
        found[number] = attribution.of(runner.shard(cohort, first, stop))
        seconds[number] = time.thread_time() - began
        count(stop - first, (stop - first) * screen.steps)

    run_tasks([partial(run, number) for number in range(len(bounds))], workers)
    rows = pairs * attribution.passes
    cost = GroupCost(screen.side, screen_label(screen.owner), 0, rows, rows, sum(seconds))
    write_json({"costs": [asdict(cost)]}, folder / "costs" / f"{cohort}.{digest(asdict(screen))}.json")
    return mean_over_pairs(np.concatenate(found, axis=1))


def _pairs_of(arm: Arm, runner: PlanRunner) -> int:
    """Pairs that a candidate is ranked on: as many as it is tested on, as far as the part to select on has them."""
    return min(arm.pairs, runner.cohorts[arm.cohort].cohort.samples)


def screen_label(owner: Owner) -> str:
    """What the ranking of a sweep is called among groups of arms."""
    return f"first-order screen of {owner}"


def mean_over_pairs(values: FloatArray) -> FloatArray:
    """Means over pairs, those omitted where the outcome is not defined; NaN where it never is."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
