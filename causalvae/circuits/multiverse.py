"""Under how many other methods of patching its circuit a claim holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from causalvae.circuits.types import Multiverse, Variant
from causalvae.effects import EffectContext
from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.mediation import arms_of
from causalvae.effects.outcomes import is_moved
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Side
from causalvae.spec.schema import Bound, Hypothesis

# How each share is measured by the claim itself.
_DIRECTIONS = {"mediated_share": "denoising", "necessity": "noising"}


def compare_methods(context: EffectContext, hypothesis: Hypothesis, arms: Mapping[str, Arm]) -> Multiverse | None:
    """Estimate the claimed share by every other method of patching, on the pairs that all of them cover.

    With TE = Y(x') - Y(x), the share by a method is sum(part TE) / sum(TE^2) over pairs, where part is

    - denoising: Y(x; c <- v) - Y(x);
    - noising: Y(x') - Y(x'; c <- v);
    - both: TE - (Y(x'; c <- v) - Y(x; c <- v)), what is eliminated where c is held at v in both runs.

    The claim holds under a method whose estimate meets the claim's bound: that of the mediated share, or of the
    necessity where only that is claimed; where both are, denoising is held against the one and noising against the
    other. The claim's own method is not among them.

    Parameters
    ----------
    context : EffectContext
    hypothesis : Hypothesis
    arms : mapping
        Arms of the plan by id.

    Returns
    -------
    Multiverse or None
        None where the plan has no other methods, or the treatment does not change the outcome in these pairs.
    """
    owner, outcome = Owner.hypothesis(hypothesis.name), hypothesis.outcome
    uses = context.plan.uses_of(owner, "variant")
    if not uses:
        return None
    sd = context.scale.sd_of(outcome)
    n = context.outcomes.pairs([use.arm for use in uses])
    four = arms_of(context.plan, owner)
    base, counterfactual = four.base, four.counterfactual
    changes = context.changes(base, counterfactual, outcome)

    def carried(arm: str, removed: bool = False) -> FloatArray:
        return np.asarray(changes.carried((arm,), n, removed=removed)[0])

    total = changes.total(n)
    claimed = arms[four.sufficiency].patches[0].source.label
    parts = {
        (claimed, "denoising"): carried(four.sufficiency),
        (claimed, "noising"): carried(four.necessity, removed=True),
    }
    held: dict[str, dict[Side, str]] = {}
    for use in uses:
        arm = arms[use.arm]
        source = arm.patches[0].source
        # The same donors on both sides: what is patched is held at one value in both runs.
        if source.donor_key("base") == source.donor_key("counterfactual"):
            held.setdefault(source.label, {})[arm.side] = use.arm
        elif arm.side == "base":
            parts[source.label, "denoising"] = carried(use.arm)
        else:
            parts[source.label, "noising"] = carried(use.arm, removed=True)
    for label, ends in held.items():
        if len(ends) == 2:
            # Each of the two is wrapped, and their difference is not: it is counted from the total change.
            parts[label, "both"] = total - changes.between((ends["counterfactual"],), ends["base"], n)[0]
    known = np.isfinite(np.stack([total, *parts.values()])).all(axis=0)
    total = total[known]
    if len(total) < 2 or not is_moved(total**2, sd, context.outcomes.rounding(outcome)):
        return None
    bounds = _claimed(hypothesis)
    own = {(claimed, _DIRECTIONS[quantity]) for quantity in bounds}
    bootstrap = context.bootstrap(len(total))
    variants = []
    for (label, direction), part in parts.items():
        if (label, direction) in own:
            continue
        ratio = bootstrap.ratio((part[known] * total)[None], (total**2)[None])
        value, lower, upper = (float(found[0]) for found in (ratio.value, ratio.lower, ratio.upper))
        sound = np.isfinite(lower) and np.isfinite(upper)
        holds = _meets(value, bounds[_held_against(direction, bounds)])
        variants.append(Variant(label, direction, value, lower if sound else None, upper if sound else None, holds))
    return Multiverse(len(total), context.spec.estimation.confidence, tuple(variants))


def _claimed(hypothesis: Hypothesis) -> dict[str, Bound]:
    bounds = {"mediated_share": hypothesis.share_bound, "necessity": hypothesis.expect.bound("necessity")}
    return {quantity: bound for quantity, bound in bounds.items() if bound is not None}


def _held_against(direction: str, bounds: Mapping[str, Bound]) -> str:
    wanted = "necessity" if direction == "noising" else "mediated_share"
    return wanted if wanted in bounds else next(iter(bounds))


def _meets(value: float, bound: Bound) -> bool:
    low = bound.at_least is None or value >= bound.at_least
    return low and (bound.at_most is None or value <= bound.at_most)
