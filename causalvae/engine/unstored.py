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
from causalvae.engine.shards import ShardInputs
from causalvae.engine.workers import single_threaded_kernels
from causalvae.models.loading import Model
from causalvae.plan.types import Arm, Patch, Plan, Side
from causalvae.spec.value_source import ValueSource

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
    source : ValueSource
        Where every patched value comes from.
    """

    def __init__(
        self,
        plan: Plan,
        model: Model,
        dataset: Dataset,
        measure: Measure,
        device: torch.device,
        cohort: str,
        source: ValueSource,
    ) -> None:
        self._cohort = plan.cohort(cohort)
        # Donors are looked for where an arm takes its values from them.
        needed = Arm(cohort, "base", (Patch("latent", None, source),), self._cohort.samples)
        self._plan = replace(
            plan, cohorts=(self._cohort,), arms=(needed,), uses=(), screens=(), traversals=(), contrasts=(), claims={}
        )
        self._runner = PlanRunner(self._plan, model, dataset, measure, device)
        self._has_donors = source.has_donors
        self._shards: dict[tuple[int, int], ShardInputs] = {}

    @torch.inference_mode()
    def run(self, patched: Sequence[tuple[Side, tuple[Patch, ...]]], first: int, stop: int) -> FloatArray:
        """Attributes of the outputs under each of `patched`, of the pairs from `first` to `stop`.

        Returns
        -------
        float array, shape (patched, stop - first, attributes)
        """
        name, plan = self._cohort.name, self._plan
        arms = [Arm(name, side, patches, stop) for side, patches in patched]
        with single_threaded_kernels(), matrix_precision(plan.options.precision):
            if (first, stop) not in self._shards:
                self._shards[first, stop] = self._runner.shard(name, first, stop)
            found = self._runner.run(self._needed(self._shards[first, stop], arms), arms, {}, ignore_rows).outcomes
        values = [found[found["arm"] == arm.id].sort_values("pair")[list(plan.attributes)] for arm in arms]
        return np.stack([frame.to_numpy(np.float64) for frame in values])

    def _needed(self, inputs: ShardInputs, arms: Sequence[Arm]) -> ShardInputs:
        """The inputs without the side that no arm runs on and no value comes from."""
        if not self._has_donors:
            return inputs
        sides: set[Side] = {"base", *(arm.side for arm in arms)}
        return replace(inputs, sides={side: x for side, x in inputs.sides.items() if side in sides})
