"""The part of an estimate that says what was done to what."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from causalvae.effects.bootstrap import BCA, PERCENTILE, Ends
from causalvae.effects.notes import Note, Notes
from causalvae.effects.types import Estimate, Estimator
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING, Target

_FALLBACKS = {PERCENTILE: Note("percentile"), BCA: Note("bca")}


@dataclass(frozen=True)
class Ablation:
    """Who asked, which treatment, and what was patched how; see `Estimate` for the fields."""

    owner: Owner
    treatment: str = ""
    component: Target = NOTHING
    granularity: str = ""
    source: str = ""
    seed: int | None = None
    confidence: float | None = None

    @property
    def clean(self) -> Ablation:
        """The same request with nothing patched: what a total effect belongs to."""
        return replace(self, component=NOTHING, granularity="", source="")

    def estimate(
        self,
        estimand: str,
        outcome: str,
        unit: str,
        n: int,
        value: float,
        interval: Ends | None = None,
        p_value: float | None = None,
        *,
        direction: str = "",
        estimator: Estimator = "exact",
        notes: Notes = (),
    ) -> Estimate:
        """An estimate of this ablation; an interval with an undefined end is omitted."""
        ends = interval if interval is not None and math.isfinite(interval.lower + interval.upper) else None
        if ends is not None:
            notes = (*notes, *fallback_note(ends))
        return Estimate(
            estimand=estimand,
            value=float(value),
            unit=unit,
            n=n,
            outcome=outcome,
            lower=None if ends is None else float(ends.lower),
            upper=None if ends is None else float(ends.upper),
            confidence=None if ends is None else self.confidence,
            p_value=None if p_value is None or not math.isfinite(p_value) else float(p_value),
            treatment=self.treatment,
            component=self.component,
            granularity=self.granularity,
            source=self.source,
            direction=direction,
            estimator=estimator,
            owner=self.owner,
            seed=self.seed,
            notes=notes,
            interval="" if ends is None else ends.kind,
        )


def fallback_note(ends: Ends) -> Notes:
    """That an interval is of another kind than studentised; nothing where it is, or has no length."""
    return (_FALLBACKS[ends.kind],) if ends.kind in _FALLBACKS and ends.lower < ends.upper else ()
