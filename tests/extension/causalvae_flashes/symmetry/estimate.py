"""How much attributes change when the sign of a latent is flipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalvae.effects.context import EffectContext
from causalvae.effects.outcomes import difference, use_at
from causalvae.plan.owner import Owner
from causalvae_flashes.symmetry.measure import Flipped


@dataclass(frozen=True)
class Flip:
    """One latent and attribute.

    Parameters
    ----------
    latent : int
    attribute : str
    before, after : float
        Mean of the attribute with the latent as it is and flipped, in the attribute's unit.
    sd : float
        Standard deviation of the attribute over observed outputs.
    change, lower, upper : float
        Mean size of the change and its interval, in these standard deviations.
    """

    latent: int
    attribute: str
    before: float
    after: float
    sd: float
    change: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Symmetry:
    """All flips, and the number of samples that each was measured on."""

    flips: tuple[Flip, ...]
    samples: int


def estimate_symmetry(context: EffectContext, flipped: Flipped) -> Symmetry:
    """Mean of |Y(-z) - Y(z)| / sd(Y) with a paired bootstrap's interval.

    Parameters
    ----------
    context : EffectContext
    flipped : dict
        What `measure_flips` gives.
    """
    clean = use_at(context.plan, Owner.analysis("symmetry"), "base").arm
    samples = context.outcomes.pairs([clean])
    bootstrap, scale = context.bootstrap(samples), context.scale
    flips = []
    for latent, attributes in flipped.items():
        for name, after in attributes.items():
            before = context.outcomes.values(clean, name)
            if name in scale.sd:
                sd = scale.sd[name]
                size = np.abs(difference(after, before, scale.periods.get(name))) / sd
                found = bootstrap.ratio(size[None])
                lower, upper, _ = found.ends(0)
                means = float(before.mean()), float(after.mean())
                flips.append(Flip(latent, name, *means, sd, float(found.value[0]), lower, upper))
    return Symmetry(tuple(flips), samples)
