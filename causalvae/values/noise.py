"""Normal noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Noise(ValueSource):
    """Its own value plus normal noise of this number of observed standard deviations, drawn for each pair."""

    kind = "noise"
    keys = ("mode",)
    settings = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
    draws = True
    needs = ("moments",)
    estimates = "standard deviations"

    @classmethod
    def written(cls, settings: Any, seed: int) -> Self:
        """One standard deviation where the spec names none."""
        return cls(1.0 if settings is None else settings, seed)

    @property
    def label(self) -> str:
        """With its standard deviations."""
        return f"noise of {self.number:g} sd"

    def compute(self, runs: SiteRuns) -> Tensor:
        """Its own value and a draw for each pair."""
        drawn = runs.draw(self.seed, lambda rng: rng.standard_normal(runs.own.shape[1:]))
        return runs.own + self.number * runs.statistics.known_moments()[1] * drawn.to(runs.own)
