"""The data set of flashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalvae.data.factors import Factor, FactorSpace, FloatArray, Rows
from causalvae.data.grid import Grid


class FlashesDataset(Grid):
    """One flash for every place and brightness.

    Parameters
    ----------
    detectors : int
    """

    name = "flashes"

    def __init__(self, detectors: int) -> None:
        self.input_shape: tuple[int, ...] = (detectors,)
        places = tuple(np.linspace(2.0, detectors - 3.0, detectors - 4).tolist())
        self.space = FactorSpace(
            (
                Factor("place", "ordinal", places),
                Factor("brightness", "ordinal", tuple(np.linspace(0.3, 1.0, 8).tolist())),
            )
        )

    def inputs(self, rows: Rows) -> Tensor:
        """A bump of light at each place: float32 tensor, shape (n, detectors)."""
        values = torch.from_numpy(np.asarray(self.values(rows))).to(torch.float32)
        at = torch.arange(self.input_shape[0], dtype=torch.float32)
        return values[:, 1:] * torch.exp(-0.5 * (at - values[:, :1]) ** 2)

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What readouts should find."""
        return {"peak": self.values(rows)[:, 1]}

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        return {"source": "flashes", "detectors": self.input_shape[0]}
