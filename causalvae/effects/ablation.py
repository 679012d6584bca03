"""The part of an estimate that says what was done to what."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from causalvae.effects.types import Estimate, Estimator


@dataclass(frozen=True)
class Ablation:
    """Who asked, which treatment, and what was patched how; see `Estimate` for the fields."""

    owner: str
    treatment: str = ""
    component: str = ""
    granularity: str = ""
    source: str = ""
    seed: int | None = None
    confidence: float | None = None

    @property
    def clean(self) -> Ablation:
        """The same request with nothing patched: what a total effect belongs to."""
        return replace(self, component="", granularity="", source="")

    def estimate(
        self,
        estimand: str,
        outcome: str,
        unit: str,
        n: int,
        value: float,
        interval: tuple[float, float] | None = None,
        p_value: float | None = None,
        *,
        direction: str = "",
        estimator: Estimator = "exact",
        note: str = "",
    ) -> Estimate:
        """An estimate of this ablation; an interval with an undefined end is left out."""
        known = interval is not None and math.isfinite(interval[0]) and math.isfinite(interval[1])
        lower, upper = interval if interval is not None and known else (None, None)
        return Estimate(
            estimand=estimand,
            value=float(value),
            unit=unit,
            n=n,
            outcome=outcome,
            lower=None if lower is None else float(lower),
            upper=None if upper is None else float(upper),
            confidence=self.confidence if known else None,
            p_value=None if p_value is None or not math.isfinite(p_value) else float(p_value),
            treatment=self.treatment,
            component=self.component,
            granularity=self.granularity,
            source=self.source,
            direction=direction,
            estimator=estimator,
            owner=self.owner,
            seed=self.seed,
            note=note,
        )
