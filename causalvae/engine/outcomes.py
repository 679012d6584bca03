"""Measures the output of each row: attributes, and where the image moved."""

from __future__ import annotations

from collections.abc import Callable
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
    arm: str, values: npt.NDArray[np.float64], live: npt.NDArray[np.bool_], first: int, columns: tuple[str, ...]
) -> pd.DataFrame:
    """The outcome rows of one arm in one shard whose first pair is `first`."""
    frame = pd.DataFrame(values, columns=list(columns))
    frame.insert(0, "arm", arm)
    frame.insert(1, "pair", np.arange(first, first + len(values), dtype=np.int64))
    frame["live"] = live
    return frame
