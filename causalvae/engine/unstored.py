"""Arms that a run adds to its plan once it knows its first results; what they give is kept in memory alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from causalvae.data.dataset import Dataset
from causalvae.engine.effort import ignore_rows
from causalvae.engine.outcomes import Measure
from causalvae.engine.precision import matrix_precision
from causalvae.engine.runner import PlanRunner
from causalvae.engine.workers import single_threaded_kernels
from causalvae.models.loading import Model
from causalvae.plan.types import Arm, Patch, Plan, Side

FloatArray = npt.NDArray[np.float64]


class UnstoredArms:
    """Runs patches in one cohort of a plan.

    Parameters
    ----------
    plan : Plan
        Its cohort, attributes, seed and options are used, so that the pairs and their donors are those of the plan.
    model, dataset, measure, device
        As of `PlanRunner`.
    cohort : str
    """

    def __init__(
        self, plan: Plan, model: Model, dataset: Dataset, measure: Measure, device: torch.device, cohort: str
    ) -> None:
        self._plan, self._cohort = plan, cohort
        self._opened = (model, dataset, measure, device)

    @torch.inference_mode()
    def run(self, patched: Sequence[tuple[Side, tuple[Patch, ...]]], first: int, stop: int) -> FloatArray:
        """Attributes of the outputs under each of `patched`, of the pairs from `first` to `stop`.

        Returns
        -------
        float array, shape (patched, stop - first, attributes)
        """
        arms = [Arm(self._cohort, side, patches, stop) for side, patches in patched]
        cohort = self._plan.cohort(self._cohort)
        plan = replace(
            self._plan, cohorts=(cohort,), arms=tuple(arms), uses=(), screens=(), traversals=(), contrasts=(), claims={}
        )
        runner = PlanRunner(plan, *self._opened)
        with single_threaded_kernels(), matrix_precision(plan.options.precision):
            shard = runner.shard(self._cohort, first, stop)
            found = runner.run(shard, arms, runner.statistics(self._cohort, arms), ignore_rows).outcomes
        values = [found[found["arm"] == arm.id].sort_values("pair")[list(plan.attributes)] for arm in arms]
        return np.stack([frame.to_numpy(np.float64) for frame in values])
