"""The quantities that a hypothesis bounds, as sums over pairs: ready for a ratio, its interval and its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from causalvae.effects.bootstrap import Ends, FloatArray, PairedBootstrap
from causalvae.effects.counts import exact_limits
from causalvae.effects.failures import failing_pairs
from causalvae.effects.mediation import MediationArms, PairEffects
from causalvae.effects.notes import Note, Notes, dropped
from causalvae.effects.outcomes import NEGLIGIBLE, Outcomes, cancelling, difference, is_moved
from causalvae.errors import CausalVAEError


@dataclass(frozen=True)
class RatioColumns:
    """A quantity as sum(numerator) / sum(denominator) over pairs, both of shape (n,).

    `undefined` says why the ratio means nothing, where it does; `is_size` that it is never negative, so that to test
    whether it is zero makes no sense; `is_count` that each numerator is 0 or 1 over 1, so that limits and tests are
    those of a binomial probability.
    """

    quantity: str
    numerator: FloatArray
    denominator: FloatArray
    unit: str
    notes: Notes = ()
    undefined: Note | None = None
    is_size: bool = False
    is_count: bool = False

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.numerator)


@dataclass(frozen=True)
class ClaimData:
    """What quantities are computed from.

    Parameters
    ----------
    outcomes : Outcomes
    arms : MediationArms
        Of the claimed circuit.
    effects : PairEffects
        On the claim's outcome.
    sd : float or None
        The outcome's standard deviation over the observed reconstructions; None where it has none.
    sds, periods : mapping
        Attribute -> standard deviation, of the attributes that vary; attribute -> period.
    reached : frozenset of str
        Descendants of the treatment's factor in the declared graph.
    as_drawn : bool
        Whether the pairs are in the order of drawing, so that a mean may cancel.
    claimed : frozenset of str
        The quantities that the claim bounds.
    squares : float array, shape (n,), or None
        ||TE - NIE||^2 of the same pairs; None where it is not known.
    share : float
        The share that each pair is held against where pairs that fail are counted.
    unit : str
        The outcome's own.
    """

    outcomes: Outcomes
    arms: MediationArms
    effects: PairEffects
    sd: float | None
    sds: Mapping[str, float]
    periods: Mapping[str, float]
    reached: frozenset[str]
    as_drawn: bool
    claimed: frozenset[str]
    squares: FloatArray | None = None
    share: float = 0.0
    unit: str = ""


def share_columns(quantity: str, effects: PairEffects, part: FloatArray, sd: float | None) -> RatioColumns:
    """Columns of the share of the total effect that `part` of it is, such as the indirect effect.

    Parameters
    ----------
    quantity : str
    effects : PairEffects
    part : float array, shape (n,)
    sd : float or None
        The outcome's standard deviation over the observed reconstructions; None for the image.
    """
    total = effects.total
    undefined = None if is_moved(total**2, sd, effects.rounding) else Note("unchanged", (effects.outcome,))
    return RatioColumns(
        quantity, part * total, total**2, "share", (*effects.along, *dropped(effects.dropped)), undefined
    )


def total_effect_columns(data: ClaimData) -> RatioColumns | None:
    """Columns of ``total_effect``; None where the outcome does not vary and no total effect is claimed.

    Raises
    ------
    CausalVAEError
        CV504 where one is claimed of such an outcome.
    """
    effects, total = data.effects, data.effects.total
    if data.sd is None:
        if "total_effect" not in data.claimed:
            return None
        raise CausalVAEError(
            "CV504",
            f"{effects.outcome} does not vary over the observed samples, so it has no standard "
            "deviation to measure a total effect in.",
            "Choose another outcome, or more samples.",
            f"total_effect of {effects.outcome}",
        )
    size = (Note("size"),) if effects.along else ()
    notes = (*size, *effects.along, *dropped(effects.dropped), *cancelling(total, data.as_drawn))
    return RatioColumns("total_effect", total / data.sd, np.ones_like(total), "sd", notes, is_size=bool(size))


def fit_columns(
    quantity: Literal["pairwise_fit", "removal_fit"], effects: PairEffects, squares: FloatArray, sd: float | None
) -> RatioColumns:
    """Columns of A = 1 - D^2, D being a circuit's relative error pair by pair.

    Of ``pairwise_fit`` D^2 = sum ||TE - NIE||^2 / sum ||TE||^2: what the circuit alone omits or adds. Of
    ``removal_fit`` D^2 = sum ||NDE||^2 / sum ||TE||^2: what remains when everything but the circuit carries the change.

    Parameters
    ----------
    quantity : str
    effects : PairEffects
    squares : float array, shape (n,)
        ||TE - NIE||^2 or ||NDE||^2 of the same pairs.
    sd : float or None
        As of `share_columns`.
    """
    total = effects.total**2
    undefined = None if is_moved(total, sd, effects.rounding) else Note("unchanged", (effects.outcome,))
    return RatioColumns(quantity, total - squares, total, "share", dropped(effects.dropped), undefined)


def failing_columns(data: ClaimData) -> RatioColumns | None:
    """Columns of ``failing``: the pairs that fail, each counted once; None where their errors are unknown."""
    if data.squares is None:
        return None
    effects, total = data.effects, data.effects.total
    undefined = None if is_moved(total**2, data.sd, effects.rounding) else Note("unchanged", (effects.outcome,))
    fails = failing_pairs(total, np.sqrt(data.squares), data.share).astype(np.float64)
    return RatioColumns(
        "failing", fails, np.ones_like(fails), "share", dropped(effects.dropped), undefined, is_size=True, is_count=True
    )


def equivalence_columns(data: ClaimData) -> RatioColumns | None:
    """Columns of ``equivalent``: how far the circuit alone lies from the full model; None where that is unknown.

    Of an attribute sign(TE) (NIE - TE) of every pair, in its own unit: positive where the circuit does too much.
    Without the sign, misses of pairs that go up would cancel those of pairs that go down. Of an image or a vector the
    distance ||NIE - TE||: its component along TE misses what the circuit moves across it, and cancels between pairs.
    """
    effects, total = data.effects, data.effects.total
    undefined = None if is_moved(total**2, data.sd, effects.rounding) else Note("unchanged", (effects.outcome,))
    if effects.along:
        if data.squares is None:
            return None
        gap = np.sqrt(data.squares)
    else:
        gap = np.where(total < 0, -1.0, 1.0) * (effects.carried - total)
    return RatioColumns(
        "equivalent",
        gap,
        np.ones_like(gap),
        data.unit,
        dropped(effects.dropped),
        undefined,
        is_size=bool(effects.along),
    )


def interval_of(columns: RatioColumns, bootstrap: PairedBootstrap) -> tuple[float, Ends]:
    """A quantity and its interval: of counted pairs the exact one-sided limits, else the bootstrap's."""
    if columns.is_count:
        count = int(columns.numerator.sum())
        return count / columns.n, exact_limits(count, columns.n, bootstrap.confidence)
    ratio = bootstrap.ratio(columns.numerator[None], columns.denominator[None])
    return float(ratio.value[0]), ratio.ends(0)


def relative_error(columns: RatioColumns, bootstrap: PairedBootstrap) -> tuple[float, Ends]:
    """D = sqrt(1 - A) of the columns of a fit A, and its interval: that of D^2, its ends' square roots."""
    square = bootstrap.ratio((columns.denominator - columns.numerator)[None], columns.denominator[None])
    ends = square.ends(0)
    lower, upper = (float(np.sqrt(max(end, 0.0))) for end in ends[:2])
    return float(np.sqrt(max(square.value[0], 0.0))), Ends(lower, upper, ends.kind)


def off_target_columns(
    outcomes: Outcomes,
    arms: MediationArms,
    reached: frozenset[str],
    sd: Mapping[str, float],
    periods: Mapping[str, float],
) -> RatioColumns:
    """Columns of ``off_target``: squared standardised natural indirect effects outside reach, over those everywhere.

    Parameters
    ----------
    outcomes : Outcomes
    arms : MediationArms
    reached : frozenset of str
        Descendants of the treatment's factor in the declared graph.
    sd : mapping
        Attribute -> standard deviation, of the attributes that vary.
    periods : mapping
        Attribute -> period.
    """
    n = outcomes.pairs((arms.base, arms.sufficiency))
    outside, everywhere = off_target_squares(outcomes, arms.sufficiency, arms.base, n, reached, sd, periods)
    finite = np.isfinite(everywhere)
    outside, everywhere = outside[finite], everywhere[finite]
    left_out = () if finite.all() else (Note("dropped_attribute", (int((~finite).sum()),)),)
    notes = (*left_out, *(() if set(sd) - reached else (Note("reaches_all"),)))
    moves = float(np.sqrt(np.mean(everywhere))) > NEGLIGIBLE if len(everywhere) else False
    undefined = None if moves else Note("still_circuit")
    return RatioColumns("off_target", outside, everywhere, "share", notes, undefined, is_size=True)


def off_target_squares(
    outcomes: Outcomes,
    arm: str,
    base: str,
    pairs: int,
    reached: frozenset[str],
    sd: Mapping[str, float],
    periods: Mapping[str, float],
) -> tuple[FloatArray, FloatArray]:
    """Squared standardised effects of an arm outside reach, and everywhere, each of shape (pairs,)."""
    outside, everywhere = np.zeros(pairs), np.zeros(pairs)
    for attribute, spread in sd.items():
        both = [outcomes.values(which, attribute, pairs) for which in (arm, base)]
        square = (difference(both[0], both[1], periods.get(attribute)) / spread) ** 2
        everywhere += square
        if attribute not in reached:
            outside += square
    return outside, everywhere
