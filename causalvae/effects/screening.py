"""What a screened sweep is worth: exact effects next to first-order ones, and the screen's measured recall.

The exact effect of a component is the mean over pairs of |Y(patched) - Y(clean)|, or of the length of the change of the
image: what its attribution estimates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalvae.effects.outcomes import IMAGE, Outcomes, difference, output_squares, use_at
from causalvae.effects.recall import estimate_recall, rank_correlation
from causalvae.effects.scale import Scale
from causalvae.effects.types import ScreenedComponent, ScreenSummary
from causalvae.plan.screens import needed_elsewhere
from causalvae.plan.types import Plan, Screen, Side
from causalvae.spec.value_source import ValueSource

FloatArray = npt.NDArray[np.float64]

# Only a value from the other run takes noise away or brings it in; an ablation is named by the run it is made in.
_DIRECTIONS: dict[Side, str] = {"base": "denoising", "counterfactual": "noising"}


def direction_of(side: Side, source: type[ValueSource]) -> str:
    """What patching `side` from a value of the kind `source` is called."""
    return _DIRECTIONS[side] if source.is_exchanged else side


def left_out(plan: Plan, scores: pd.DataFrame) -> frozenset[str]:
    """Ids of the arms that no one but a screen asked for, and that it omitted: they were not run."""
    if not plan.screens:
        return frozenset()
    chosen = needed_elsewhere(plan).union(scores.loc[scores["selected"] != "left out", "arm"])
    return frozenset(scores["arm"]) - chosen


def summarise_screen(
    screen: Screen,
    plan: Plan,
    scores: pd.DataFrame,
    outcomes: Outcomes,
    scale: Scale,
    treatment: str,
    confidence: float,
) -> ScreenSummary:
    """One screen's summary.

    Parameters
    ----------
    screen : Screen
    plan : Plan
    scores : DataFrame
        `Measurements.screens`.
    outcomes : Outcomes
    scale : Scale
    treatment : str
        The input intervention that the sweep's values come from.
    confidence : float
        Of both intervals.
    """
    mine = scores[(scores["owner"] == str(screen.owner)) & (scores["side"] == screen.side)]
    uses = plan.candidates(screen)
    absent = left_out(plan, scores)
    ids = [str(arm) for arm in mine["arm"] if arm not in absent]
    exact = dict(zip(ids, exact_sizes(screen, plan, ids, outcomes, scale.periods), strict=True))
    rows = list(zip(mine["arm"], mine["attribution"], mine["selected"], strict=True))
    effects = {
        chosen: np.array([exact[arm] for arm, _, selected in rows if selected == chosen])
        for chosen in ("kept", "checked")
    }
    attributions = np.array([score for _, score, selected in rows if selected == "checked"], dtype=np.float64)
    recall = estimate_recall(effects["kept"], effects["checked"], len(rows) - screen.kept, confidence)
    ranks = rank_correlation(attributions, effects["checked"], confidence)
    arms = {arm.id: arm for arm in plan.arms}
    first = arms[str(rows[0][0])]
    source = first.patches[0].source
    return ScreenSummary(
        owner=screen.owner,
        treatment=treatment,
        direction=direction_of(screen.side, type(source)),
        source=source.label,
        outcome=scale.label(screen.outcome),
        unit=scale.unit(screen.outcome),
        method=screen.method,
        steps=screen.steps,
        pairs=first.pairs,
        kept=screen.kept,
        checked=screen.checked,
        left_out=len(rows) - screen.kept - screen.checked,
        recall=recall.value,
        recall_lower=recall.lower,
        recall_upper=recall.upper,
        rank_correlation=ranks.value,
        rank_lower=None if math.isnan(ranks.lower) else ranks.lower,
        rank_upper=None if math.isnan(ranks.upper) else ranks.upper,
        confidence=confidence,
        seed=screen.seed,
        components=tuple(
            ScreenedComponent(use.component, use.granularity, float(score), selected, exact.get(arm))
            for (arm, score, selected), use in zip(rows, uses, strict=True)
        ),
    )


def exact_sizes(
    screen: Screen, plan: Plan, arms: list[str], outcomes: Outcomes, periods: Mapping[str, float]
) -> list[float]:
    """Mean over pairs of the size of each arm's exact effect on the screen's outcome; NaN where it is never defined."""
    clean = use_at(plan, screen.owner, screen.side).arm
    n = outcomes.pairs([clean, *arms])
    if screen.outcome == IMAGE:
        sizes = np.sqrt(output_squares(outcomes, arms, clean if screen.side == "counterfactual" else None, n))
    else:
        change = difference(
            outcomes.block(arms, screen.outcome, n),
            outcomes.values(clean, screen.outcome, n)[None],
            periods.get(screen.outcome),
        )
        sizes = np.abs(change)
    known = np.isfinite(sizes)
    counts = known.sum(axis=1)
    means = np.where(known, sizes, 0.0).sum(axis=1) / np.maximum(counts, 1)
    return [float(mean) if count else math.nan for mean, count in zip(means, counts, strict=True)]
