"""Measures the output of each row: attributes, and where the image moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

Measure = Callable[[Tensor], Tensor]
IMAGE_COLUMNS = ("image_sq", "image_dot")


@dataclass(frozen=True)
class Outcomes:
    """Measured rows: float64 array, (rows, attributes + 2), columns as `columns` names them."""

    columns: tuple[str, ...]
    values: npt.NDArray[np.float64]


class OutcomeMeter:
    """Measures outputs of one shard against its clean outputs.

    Parameters
    ----------
    measure : callable
        From outputs (rows, *output_shape) to attributes (rows, k), float64.
    attributes : tuple of str
        Their names.
    base : Tensor, shape (pairs, *output_shape)
        The clean base outputs.
    counterfactual : Tensor or None, shape (pairs, *output_shape)
        The clean counterfactual outputs; None in a cohort without.
    """

    def __init__(
        self, measure: Measure, attributes: tuple[str, ...], base: Tensor, counterfactual: Tensor | None
    ) -> None:
        self._measure = measure
        self.columns = (*attributes, *IMAGE_COLUMNS)
        self._base = base
        self._effect = None if counterfactual is None else counterfactual - base

    def __call__(self, output: Tensor, pairs: Tensor) -> npt.NDArray[np.float64]:
        """Outcomes of rows whose pair in the shard is `pairs`: float64, (rows, attributes + 2)."""
        moved = output - self._base[pairs]
        squared = moved.flatten(1).double().square().sum(1)
        if self._effect is None:
            along = torch.zeros_like(squared)
        else:
            along = (moved.flatten(1).double() * self._effect[pairs].flatten(1).double()).sum(1)
        columns = [self._measure(output).double(), squared[:, None], along[:, None]]
        return torch.cat(columns, dim=1).cpu().numpy()


def outcome_frame(
    arms: Sequence[str],
    found: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]],
    first: int,
    columns: tuple[str, ...],
) -> pd.DataFrame:
    """The outcome rows of one shard whose first pair is `first`; no rows, but all columns, where there are no arms.

    Parameters
    ----------
    arms : sequence of str
        Arm ids.
    found : sequence of (float array (rows, columns), bool array (rows,))
        For each arm its outcomes, and which of its rows were run.
    first : int
    columns : tuple of str
    """
    counts = [len(live) for _, live in found]
    values = np.concatenate([np.empty((0, len(columns))), *(outcomes for outcomes, _ in found)])
    return pd.DataFrame(
        {
            "arm": pd.Series(np.repeat(np.asarray(arms, dtype=object), counts), dtype="str"),
            "pair": np.concatenate([np.arange(0), *(np.arange(first, first + count) for count in counts)]),
            **{name: values[:, position] for position, name in enumerate(columns)},
            "live": np.concatenate([np.zeros(0, dtype=bool), *(live for _, live in found)]),
        }
    )
