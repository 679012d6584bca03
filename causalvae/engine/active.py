"""Finds the active units of a site on a few pairs of a cohort."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from causalvae.data.dataset import Dataset
from causalvae.engine.effort import ignore_rows
from causalvae.engine.outcomes import IMAGE_COLUMNS, Measure
from causalvae.engine.precision import matrix_precision
from causalvae.engine.runner import PlanRunner
from causalvae.models.loading import Model
from causalvae.plan.types import Arm, Cohort, Patch, Plan, Side

ACTIVE_PAIRS = 24
# Maximum number of rows for one site; sites with many units use fewer pairs.
_MOST_ROWS = 60_000
# Changes below this share of the RMS total effect are rounding errors of float32 outputs.
_ROUNDING = 1e-4


class ActiveUnits:
    """Finds active units by interchanging each unit alone; see `causalvae.plan.active.FindActive`.

    Parameters
    ----------
    model : Model
    dataset : Dataset
    measure : callable
        From outputs (rows, *output_shape) to attributes (rows, k), float64.
    device : torch.device
    template : callable
        Returns a plan for the same network, whose attributes, seed, batch size and options are used.

    Notes
    -----
    The pairs are drawn like those of the cohort, but from the part of the data for selection, not from that for tests.
    """

    def __init__(
        self,
        model: Model,
        dataset: Dataset,
        measure: Measure,
        device: torch.device,
        template: Callable[[], Plan],
    ) -> None:
        self._model, self._dataset, self._measure = model, dataset, measure
        self._device, self._template = device, template
        self._found: dict[tuple[str, Patch], tuple[int, ...]] = {}

    def __call__(self, cohort: Cohort, patch: Patch) -> tuple[int, ...]:
        """The active units of the site of `patch` within its window, in increasing order."""
        key = (cohort.name, replace(patch, units=None))
        if key not in self._found:
            self._found[key] = self._find(cohort, patch)
        return self._found[key]

    @torch.inference_mode()
    def _find(self, cohort: Cohort, patch: Patch) -> tuple[int, ...]:
        units = self._model.components.site(patch.site).units
        pairs = max(2, min(ACTIVE_PAIRS, cohort.samples, _MOST_ROWS // (2 * units)))
        sides: tuple[Side, Side] = ("base", "counterfactual")
        clean = [Arm(cohort.name, side, (), pairs) for side in sides]
        alone = [
            Arm(cohort.name, side, (replace(patch, units=(unit,)),), pairs) for side in sides for unit in range(units)
        ]
        plan = replace(
            self._template(), cohorts=(replace(cohort, samples=pairs),), arms=(*clean, *alone), uses=(), screens=(),
            traversals=(), shard_pairs=pairs,
        )  # fmt: skip
        runner = PlanRunner(plan, self._model, self._dataset, self._measure, self._device).on_part("select")
        pairs = runner.cohorts[cohort.name].cohort.samples
        with matrix_precision(plan.options.precision):
            found = runner.run(runner.shard(cohort.name, 0, pairs), list(plan.arms), {}, ignore_rows).outcomes
        names = [*plan.attributes, *IMAGE_COLUMNS]
        values = found[names].to_numpy(np.float64).reshape(len(plan.arms), pairs, len(names))
        base, counterfactual = values[0], values[1]
        moved = np.concatenate(
            [
                _changes(values[2 : 2 + units], base, counterfactual, on_base=True),
                _changes(values[2 + units :], base, counterfactual, on_base=False),
            ],
            axis=1,
        )
        return tuple(int(unit) for unit in np.flatnonzero(moved.any(axis=(1, 2))))


def _changes(
    values: npt.NDArray[np.float64],
    base: npt.NDArray[np.float64],
    counterfactual: npt.NDArray[np.float64],
    on_base: bool,
) -> npt.NDArray[np.bool_]:
    """Whether each unit changes each outcome of each pair, (units, pairs, attributes + 1); the image is last."""
    clean = base if on_base else counterfactual
    attributes = len(IMAGE_COLUMNS)
    change = np.abs(values[..., :-attributes] - clean[..., :-attributes])
    total = np.sqrt(np.nanmean((counterfactual - base)[..., :-attributes] ** 2, axis=0))
    square, along = values[..., -2], values[..., -1]
    if not on_base:
        square = square - 2 * along + counterfactual[..., -2]
    image = np.sqrt(np.maximum(square, 0.0))[..., None]
    length = np.sqrt(np.nanmean(counterfactual[..., -2:-1], axis=0))
    changes = np.concatenate([change, image], axis=-1)
    scale = np.concatenate([total, length])
    # An outcome that becomes undefined or defined counts as changed.
    undefined = np.isnan(values[..., :-attributes]) != np.isnan(clean[..., :-attributes])
    turned = np.concatenate([undefined, np.zeros_like(image, dtype=bool)], axis=-1)
    return np.asarray((changes > _ROUNDING * scale) & (scale > 0) | turned)
