"""Median ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Median(ValueSource):
    """Its median over observed samples, for each unit."""

    kind = "median"
    keys = ("mode", "values", "control")
    held = "mediators held at their median over observed samples"
    needs = ("values",)
    estimates = "medians"

    def compute(self, runs: SiteRuns) -> Tensor:
        """The middle value, or the mean of the two in the middle."""
        ordered = runs.statistics.known_values()
        middle = ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]
        return (middle / 2).expand_as(runs.own)
