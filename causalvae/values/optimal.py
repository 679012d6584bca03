"""Optimal ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.fitting import FitPairs
    from causalvae.engine.values import SiteRuns
    from causalvae.plan.types import Arm, Patch


class Optimal(ValueSource):
    """The constant that changes the output least in mean square, fitted on separate pairs.

    Li & Janson 2024, arXiv 2409.09951. `joint` tells apart the constants of components that are patched one at a time.
    """

    kind = "optimal"
    keys = ("mode",)
    draws = True
    estimates = "optimal constants"
    is_fitted = True
    is_searched = True

    def fit(self, patch: Patch, arm: Arm, pairs: FitPairs) -> list[tuple[Patch, Tensor]]:
        """The constants of all that the arm patches; the means in a forecast, which takes no gradients."""
        if pairs.search:
            return list(zip(arm.patches, pairs.constants(arm), strict=True))
        return [(each, pairs.mean(each.site, arm.side)) for each in arm.patches]

    def compute(self, runs: SiteRuns) -> Tensor:
        """The constant for every row."""
        return runs.fitted(self).expand_as(runs.own)
