"""The controlled direct effect: what a treatment does while the mediators are held at one value for both inputs.

CDE(m) = Y(x'; c <- m) - Y(x; c <- m) (Pearl 2001, "Direct and indirect effects"). Where treatment and mediators do not
interact it is the natural direct effect, whatever m is; TE - CDE is what holding the mediators takes away.
"""

from __future__ import annotations

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import FloatArray, paired_bootstrap
from causalvae.effects.changes import Changes
from causalvae.effects.notes import Note, Notes, dropped
from causalvae.effects.significance import t_test
from causalvae.effects.types import Estimate
from causalvae.errors import CausalVAEError
from causalvae.spec.value_source import ValueSource


def controlled_effects(changes: Changes, held: tuple[str, str], pairs: int) -> FloatArray:
    """CDE of each pair, shape (n,), not finite where the outcome is undefined in one of the arms.

    Parameters
    ----------
    changes : Changes
        Of the outcome under the treatment; of one with several numbers the effect is the component along the total
        change.
    held : pair of str
        Ids of the arms of the base and of the counterfactual inputs with the mediators held.
    pairs : int
        How many, the first ones.
    """
    base, treated = held
    return np.asarray(changes.between((treated,), base, pairs)[0])


def controlled_estimate(
    effects: FloatArray,
    source: ValueSource,
    ablation: Ablation,
    outcome: str,
    unit: str,
    resamples: int,
    notes: Notes = (),
    along: Notes = (),
    bca: bool = False,
) -> Estimate:
    """The mean of `effects`, shape (n,), with its interval.

    Parameters
    ----------
    effects : float array, shape (n,)
        From `controlled_effects`.
    source : ValueSource
        What the mediators are held at.
    ablation : Ablation
        With the seed and the confidence of the interval.
    outcome, unit : str
    resamples : int
        Of the bootstrap.
    notes : tuple of Note
        Added to the estimate's.
    along : tuple of Note
        Of the changes: what the effects are components along.
    bca : bool
        Whether the interval is BCa.

    Raises
    ------
    CausalVAEError
        CV520 where the outcome is defined for fewer than two pairs.
    """
    known = effects[np.isfinite(effects)][None]
    n = known.shape[1]
    if n < 2:
        raise CausalVAEError(
            "CV520",
            f"With the mediators held, {outcome} is defined for {n} pairs; an effect needs two.",
            "Hold them at another value, or choose an outcome that is defined on these outputs.",
            ablation.owner,
        )
    bootstrap = paired_bootstrap(n, resamples, ablation.confidence or 0.95, ablation.seed or 0, bca)
    mean = bootstrap.ratio(known)
    held = Note("held", (source.kind,) if source.value is None else (source.kind, source.value))
    return ablation.estimate(
        "controlled_direct_effect", outcome, unit, n, mean.value[0], mean.ends(0), float(t_test(known).p_two_sided[0]),
        notes=(held, *along, *dropped(len(effects) - n), *notes),
    )  # fmt: skip
