"""Tables: each variable of a structural model one number of the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FloatArray
from causalvae.spec.columns import Columns
from causalvae.spec.structural import StructuralModel


class TableWorld:
    """Gives variables as columns.

    Parameters
    ----------
    columns : Columns
        The variables that have a column: column = (value - offset) / span.
    bounded : bool
        Whether columns are kept within [0, 1]: what lies beyond a variable's range is shown at its end.
    """

    name = "table"

    def __init__(self, columns: Columns, bounded: bool) -> None:
        self.columns = columns
        self.input_shape = (len(columns.names),)
        self._offset, self._span, self._bounded = np.asarray(columns.offset), np.asarray(columns.span), bounded

    @classmethod
    def of(cls, model: StructuralModel, scale: Literal["range", "standard", "none"]) -> TableWorld:
        """The table of a model's variables but the hidden ones.

        Parameters
        ----------
        model : StructuralModel
        scale : {"range", "standard", "none"}
            ``range`` makes [0, 1] of each variable's range; ``standard`` mean 0 and standard deviation 1, both found
            from the model's trial draws; ``none`` shows the variables as they are.
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
        """The columns of samples: float32 array, shape (n, n_columns)."""
        return self._scaled(values).astype(np.float32)

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """What a readout of each column should find, by ``column NAME``, in the variable's units; each (n,)."""
        found = self._offset + self._span * self._scaled(values)
        return {f"column {name}": found[:, position] for position, name in enumerate(self.columns.names)}

    def _scaled(self, values: Mapping[str, FloatArray]) -> FloatArray:
        raw = np.stack([values[name] for name in self.columns.names], axis=1)
        scaled = (raw - self._offset) / self._span
        return np.clip(scaled, 0.0, 1.0) if self._bounded else np.asarray(scaled)
