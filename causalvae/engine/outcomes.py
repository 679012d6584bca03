"""Measures the output of each row: attributes, and changes of the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from causalvae.models.network import channel_means
from causalvae.plan.types import OUTPUT, Plan

Measure = Callable[[Tensor], Tensor]
IMAGE_COLUMNS = ("image_sq", "image_dot")
# Sums of float32 numbers in float64 take four times as long as in float32. PyTorch adds in a cascade, so the sum of a
# lane is within the rounding of one number.
_LANES, _LONG = 16, 1024


class OutcomeMeter:
    """Measures rows of one shard, with changes relative to the clean runs.

    Parameters
    ----------
    measure : callable
        From outputs (rows, *output_shape) to attributes (rows, k), float64.
    plan : Plan
        For its attributes.
    base : mapping
        Clean base values of the network's outputs by name, such as ``output``, (pairs, *output_shape).
    counterfactual : mapping or None
        The same for the counterfactual side; None in a cohort without.
    """

    def __init__(
        self, measure: Measure, plan: Plan, base: Mapping[str, Tensor], counterfactual: Mapping[str, Tensor] | None
    ) -> None:
        self._measure = measure
        self._plan = plan
        self.columns = (*plan.attributes, *IMAGE_COLUMNS)
        self._base: Tensor | None = base["output"].float().flatten(1) if OUTPUT in plan.outputs else None
        self._effect: Tensor | None = None
        if self._base is not None and counterfactual is not None:
            self._effect = counterfactual["output"].float().flatten(1) - self._base

    def __call__(self, values: Mapping[str, Tensor], pairs: Tensor) -> npt.NDArray[np.float64]:
        """Outcomes of rows, float64, (rows, attributes + 2).

        Parameters
        ----------
        values : mapping
            Name of an output -> its values, (rows, ...).
        pairs : Tensor, int, shape (rows,)
            Index of the pair of each row in the shard.
        """
        return torch.cat([self.attributes(values), self._moved(values, pairs)], dim=1).cpu().numpy()

    def attributes(self, values: Mapping[str, Tensor]) -> Tensor:
        """All attributes in the order of the plan, float64, (rows, attributes)."""
        on_output = iter(()) if self._base is None else iter(self._measure(values["output"].float()).double().unbind(1))
        latents = self._plan.latent_attributes
        columns = [
            channel_means(values["latent"].double())[:, latents[name]] if name in latents else next(on_output)
            for name in self._plan.attributes
        ]
        return torch.stack(columns, dim=1)

    def _moved(self, values: Mapping[str, Tensor], pairs: Tensor) -> Tensor:
        """Squared change of the output, and its product with the clean change, float64, (rows, 2)."""
        if self._base is None:
            return torch.full((len(pairs), 2), torch.nan, dtype=torch.float64, device=pairs.device)
        # Gathered copies are overwritten, so that a batch of outputs stays in cache.
        moved = self._base.index_select(0, pairs)
        torch.sub(values["output"].float().flatten(1), moved, out=moved)
        along = None if self._effect is None else sum_rows(self._effect.index_select(0, pairs).mul_(moved))
        squared = sum_rows(moved.square_())
        return torch.stack([squared, torch.zeros_like(squared) if along is None else along], dim=1)


def sum_rows(values: Tensor) -> Tensor:
    """Sum of each row, (rows,), in float64; of long rows from sums in float32 of each lane."""
    length = values.shape[1]
    if length % _LANES or length < _LONG:
        return values.sum(1, dtype=torch.float64)
    return values.view(len(values), -1, _LANES).sum(1).sum(1, dtype=torch.float64)


def outcome_frame(
    arms: Sequence[str],
    counts: Sequence[int],
    values: npt.NDArray[np.float64],
    live: npt.NDArray[np.bool_],
    first: int,
    columns: tuple[str, ...],
) -> pd.DataFrame:
    """The outcome rows of one shard; no rows, but all columns, if there are no arms.

    Parameters
    ----------
    arms : sequence of str
        Arm ids.
    counts : sequence of int
        Rows of each arm.
    values : float array, shape (columns, rows)
        Outcomes, arm after arm; the table holds this array.
    live : bool array, shape (rows,)
        Whether each row was run.
    first : int
        Index of the first pair of the shard.
    columns : tuple of str
    """
    return pd.DataFrame(
        {
            # Categorical, since ids as text take tens of bytes per row.
            "arm": pd.Categorical.from_codes(
                np.repeat(np.arange(len(arms)), counts), pd.Index(list(arms), dtype="str")
            ),
            "pair": np.concatenate([np.arange(0), *(np.arange(first, first + count) for count in counts)]),
            **dict(zip(columns, values, strict=True)),
            "live": live,
        },
        copy=False,
    )
