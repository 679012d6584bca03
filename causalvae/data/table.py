"""Tables with variables of a structural model as columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FloatArray
from causalvae.spec.columns import Columns
from causalvae.spec.structural import StructuralModel


class TableWorld:
    """Maps variables to columns of a table.

    Parameters
    ----------
    columns : Columns
        Names and scaling of the columns: column = (value - offset) / span.
    bounded : bool
        Whether columns are clipped to [0, 1].
    """

    name = "table"

    def __init__(self, columns: Columns, bounded: bool) -> None:
        self.columns = columns
        self.input_shape = (len(columns.names),)
        self._offset, self._span, self._bounded = np.asarray(columns.offset), np.asarray(columns.span), bounded

    @classmethod
    def of(cls, model: StructuralModel, scale: Literal["range", "standard", "none"]) -> TableWorld:
        """The table of the variables of a model, without hidden ones.

        Parameters
        ----------
        model : StructuralModel
        scale : {"range", "standard", "none"}
            ``range`` scales the range of each variable to [0, 1]; ``standard`` to mean 0 and standard deviation 1, both
            from the trial draws of the model; ``none`` does not scale.
        """
        names = tuple(mechanism.name for mechanism in model.mechanisms if not mechanism.hidden)
        if scale == "none":
            return cls(Columns.unscaled(names), bounded=False)
        if scale == "standard":
            pairs = [model.moments_of(name) for name in names]
        else:
            pairs = [(low, (high - low) or 1.0) for low, high in (model.ranges[name] for name in names)]
        offset, span = tuple(low for low, _ in pairs), tuple(span for _, span in pairs)
        return cls(Columns(names, offset, span), scale == "range")

    def render(self, values: Mapping[str, FloatArray]) -> npt.NDArray[np.float32]:
        """Columns of samples, float32, (n, n_columns)."""
        return self._scaled(values).astype(np.float32)

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """True values of readouts ``column NAME`` in the units of the variables, each (n,)."""
        found = self._offset + self._span * self._scaled(values)
        return {f"column {name}": found[:, position] for position, name in enumerate(self.columns.names)}

    def _scaled(self, values: Mapping[str, FloatArray]) -> FloatArray:
        raw = np.stack([values[name] for name in self.columns.names], axis=1)
        scaled = (raw - self._offset) / self._span
        return np.clip(scaled, 0.0, 1.0) if self._bounded else np.asarray(scaled)
