"""Mean ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Mean(ValueSource):
    """Its mean over the base inputs of the cohort."""

    kind = "mean"
    keys = ("mode", "control")
    held = "mediators held at their mean over the base inputs"
    needs = ("mean",)
    estimates = "means"

    def compute(self, runs: SiteRuns) -> Tensor:
        """The mean for every row."""
        return runs.statistics.known_mean().expand_as(runs.own)
