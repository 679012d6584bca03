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
from causalvae.engine.values import CleanRuns
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
        self._shards: dict[tuple[int, int], ShardInputs] = {}
        # Of the last pairs: the next arms are usually run on the same ones.
        self._clean: dict[tuple[int, int], CleanRuns] = {}

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
            place = (first, stop)
            if place not in self._shards:
                self._shards[place] = self._runner.shard(name, first, stop)
            inputs = _read_by(arms, self._shards[place])
            result = self._runner.run(inputs, arms, {}, ignore_rows, clean=self._clean.get(place))
            self._clean = {place: result.clean}
            found = result.outcomes
        values = [found[found["arm"] == arm.id].sort_values("pair")[list(plan.attributes)] for arm in arms]
        return np.stack([frame.to_numpy(np.float64) for frame in values])


def _read_by(arms: Sequence[Arm], inputs: ShardInputs) -> ShardInputs:
    """The inputs without a counterfactual side that no arm is on or takes values from."""
    patches = [patch for arm in arms for patch in arm.patches]
    if any(arm.side == "counterfactual" for arm in arms) or not all(patch.source.has_donors for patch in patches):
        return inputs
    return replace(inputs, sides={"base": inputs.sides["base"]})
