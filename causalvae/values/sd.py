"""A step in standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Sd(ValueSource):
    """Its own value, shifted by some standard deviations over observed samples."""

    kind = "sd"
    needs = ("values",)
    estimates = "standard deviations"
    per_unit = True

    def label_of(self, values: str) -> str:
        """The steps."""
        return f"{values} sd"

    def compute(self, runs: SiteRuns) -> Tensor:
        """Its own value and the step."""
        return runs.own + self.number * runs.statistics.known_values().std(0)
