"""How many pairs a circuit fails in, and the worst of them: reported with every claim that it carries a share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalvae.circuits.types import Failing, FailingPair
from causalvae.effects import EffectContext
from causalvae.effects.counts import exact_limits
from causalvae.effects.failures import FLOOR, failing_pairs, misses
from causalvae.effects.mediation import arms_of, pair_effects
from causalvae.effects.outcomes import is_moved
from causalvae.plan.owner import Owner
from causalvae.spec.schema import Hypothesis

FloatArray = npt.NDArray[np.float64]
_MOST_SHOWN, _MOST_DRAWN = 5, 200


def find_failing(context: EffectContext, hypothesis: Hypothesis) -> Failing | None:
    """The pairs in which the claimed circuit alone does not bring the effect.

    Returns
    -------
    Failing or None
        None where nothing of the kind is claimed, or the treatment changes nothing.
    """
    if not hypothesis.counts_failing:
        return None
    outcome, scale = hypothesis.outcome, context.scale
    arms = arms_of(context.plan, Owner.hypothesis(hypothesis.name))
    effects = pair_effects(context.outcomes, arms, outcome, scale.periods.get(outcome), scale.vectors.get(outcome))
    total, kept = effects.total, effects.kept
    if kept is None or not is_moved(total**2, scale.sd_of(outcome), effects.rounding):
        return None
    changes = context.changes(arms.base, arms.counterfactual, outcome)
    distance = np.sqrt(changes.squares((arms.sufficiency,), len(kept))[0][0][kept])
    share, confidence = hypothesis.pair_share, context.spec.estimation.confidence
    fails = failing_pairs(total, distance, share)
    worst = sorted(np.flatnonzero(fails), key=lambda k: -distance[k])[:_MOST_SHOWN]
    places = np.flatnonzero(kept)
    drawn = np.argsort(total, kind="stable")
    drawn = drawn[np.linspace(0, len(drawn) - 1, min(len(drawn), _MOST_DRAWN)).round().astype(int)]
    return Failing(
        share=share,
        missed=misses(share),
        floor=FLOOR * float(np.sqrt(np.mean(total**2))),
        count=int(fails.sum()),
        n=len(total),
        upper=exact_limits(int(fails.sum()), len(total), confidence).upper,
        confidence=confidence,
        unit=scale.unit(outcome),
        worst=tuple(
            FailingPair(int(places[k]), float(total[k]), float(effects.indirect[k]), float(distance[k])) for k in worst
        ),
        totals=_short(total[drawn]),
        indirects=_short(effects.indirect[drawn]),
    )


def _short(values: FloatArray) -> tuple[float, ...]:
    """Numbers with as many digits as a picture shows."""
    return tuple(float(f"{value:.5g}") for value in values)
