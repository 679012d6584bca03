"""A quantile over observed samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Quantile(ValueSource):
    """A quantile of its values over observed samples, for each unit."""

    kind = "quantile"
    held = "mediators held at quantile {0:g} of their values over observed samples"
    needs = ("values",)
    estimates = "quantiles"
    per_unit = True

    def label_of(self, values: str) -> str:
        """The quantiles."""
        return f"quantiles {values}"

    @property
    def level(self) -> float:
        """The quantile."""
        return self.number

    def compute(self, runs: SiteRuns) -> Tensor:
        """Linear interpolation between order statistics, as numpy's default."""
        import torch

        values = runs.statistics.known_values()
        position = self.number * (len(values) - 1)
        low = int(position)
        high = min(low + 1, len(values) - 1)
        return torch.lerp(values[low], values[high], position - low).expand_as(runs.own)
