"""Steering vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import OTHER, ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.fitting import FitPairs
    from causalvae.engine.values import SiteRuns
    from causalvae.plan.types import Arm, Patch


class Additive(ValueSource):
    """Its own value plus a steering vector: the mean of the other side minus that of its own side.

    Turner et al. 2023, arXiv 2308.10248. The means are over pairs of their own, which `seed` draws.
    """

    kind = "additive"
    keys = ("mode",)
    draws = True
    estimates = "steering vectors"
    is_fitted = True

    def fit(self, patch: Patch, arm: Arm, pairs: FitPairs) -> list[tuple[Patch, Tensor]]:
        """The steering vector."""
        return [(patch, pairs.mean(patch.site, OTHER[arm.side]) - pairs.mean(patch.site, arm.side))]

    def compute(self, runs: SiteRuns) -> Tensor:
        """Its own value and the steering vector."""
        return runs.own + runs.fitted(self)
