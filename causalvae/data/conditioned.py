"""Data sets with factors appended to each input, for conditional networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from causalvae.data.factors import Factor, FactorSpace, FloatArray, IntArray, Rows
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.data.dataset import Dataset, FiniteDataset
    from causalvae.data.others import Others


class ConditionedDataset:
    """A data set with factors appended to the channels or columns of each input.

    A categorical factor is one-hot encoded; a cyclic one is encoded by (1 + cos) / 2 and (1 + sin) / 2 of its angle;
    any other by its value scaled to [0, 1]. In a table each number is a column, else a constant channel.

    The condition of a counterfactual has the counterfactual values of the factors, so a conditional network sees the
    change in both parts of the input, and its decoder in the condition.

    Parameters
    ----------
    dataset : Dataset
    condition : tuple of str
        Names of factors.

    Attributes
    ----------
    target_shape : tuple of int
        Of the part of an input that a network reconstructs: the input without the condition.

    Raises
    ------
    CausalVAEError
        CV222 if the data lack a factor.
    """

    def __init__(self, dataset: Dataset, condition: tuple[str, ...]) -> None:
        self._dataset = dataset
        unknown = [name for name in condition if name not in dataset.space.names]
        if unknown:
            raise CausalVAEError(
                "CV222",
                f"The data set {dataset.name} has no factor {unknown[0]} to condition on.",
                f"Use some of {', '.join(dataset.space.names)}." if dataset.space.names else "Delete `condition`.",
                "data.condition",
            )
        self.condition = condition
        channels, *others = dataset.input_shape
        self.width = sum(_width(dataset.space[name]) for name in condition)
        self.input_shape = (channels + self.width, *others)

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self._dataset.name

    @property
    def space(self) -> FactorSpace:
        """The factors and their levels."""
        return self._dataset.space

    @property
    def size(self) -> int | None:
        """Number of distinct samples; None if infinite."""
        return self._dataset.size

    @property
    def columns(self) -> Columns | None:
        """Columns of the part that a network reconstructs."""
        return self._dataset.columns

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Draw `n` samples: rows, (n, width)."""
        return self._dataset.draw(n, rng)

    def rows_at(self, numbers: IntArray) -> Rows:
        """Rows of the samples with these numbers; for finite data."""
        return cast("FiniteDataset", self._dataset).rows_at(numbers)

    def numbers_of(self, rows: Rows) -> IntArray:
        """Numbers of samples, (n,); for finite data."""
        return cast("FiniteDataset", self._dataset).numbers_of(rows)

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """Files of samples; for finite data."""
        return cast("FiniteDataset", self._dataset).files_of(numbers)

    def values(self, rows: Rows) -> FloatArray:
        """Physical values of the factors, float, (n, n_factors)."""
        return self._dataset.values(rows)

    def inputs(self, rows: Rows) -> Tensor:
        """Inputs with the condition, float32, (n, *input_shape)."""
        import torch

        inputs = self._dataset.inputs(rows)
        labels = torch.from_numpy(self.labels(rows).astype(np.float32))
        spread = labels.reshape(*labels.shape, *(1 for _ in inputs.shape[2:]))
        return torch.cat([inputs, spread.expand(*labels.shape, *inputs.shape[2:])], dim=1)

    def labels(self, rows: Rows) -> FloatArray:
        """Conditions of samples in [0, 1], float, (n, width)."""
        values, space = self._dataset.values(rows), self._dataset.space
        return np.concatenate(
            [_encode(space[name], values[:, space.position(name)]) for name in self.condition], axis=1
        )

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others) -> Rows:
        """The same samples under do(`factor` = `values`)."""
        return self._dataset.intervene(rows, factor, values, others)

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """True values of readouts of the reconstructed part, each (n,)."""
        return self._dataset.truth(rows)

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        return {
            **self._dataset.describe(),
            "input_shape": list(self.input_shape),
            "condition": ", ".join(self.condition),
        }


def condition_width(dataset: Dataset) -> int:
    """Number of last channels (columns) of an input that are a condition."""
    return dataset.width if isinstance(dataset, ConditionedDataset) else 0


def _width(factor: Factor) -> int:
    return factor.size if factor.kind == "categorical" else 2 if factor.kind == "cyclic" else 1


def _encode(factor: Factor, values: FloatArray) -> FloatArray:
    if factor.kind == "categorical":
        return np.asarray(factor.levels_at(values)[:, None] == np.arange(factor.size)[None, :], dtype=np.float64)
    if factor.kind == "cyclic":
        angle = 2 * np.pi * values / factor.period
        return np.stack([(1 + np.cos(angle)) / 2, (1 + np.sin(angle)) / 2], axis=1)
    low, high = min(factor.values), max(factor.values)
    return np.clip((values - low) / ((high - low) or 1.0), 0.0, 1.0)[:, None]
