"""The quantities that a hypothesis bounds, as sums over pairs: ready for a ratio, its interval and its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.mediation import MediationArms, PairEffects, dropped_note
from causalvae.effects.outcomes import NEGLIGIBLE, Outcomes, cancel_note, difference, is_moved
from causalvae.errors import CausalVAEError

Quantity = Literal["mediated_share", "necessity", "off_target", "total_effect"]
QUANTITIES: tuple[Quantity, ...] = ("mediated_share", "necessity", "off_target", "total_effect")


@dataclass(frozen=True)
class RatioColumns:
    """A quantity as sum(numerator) / sum(denominator) over pairs, both of shape (n,).

    `undefined` says why the ratio means nothing, where it does; `is_size` that it is never negative, so that to test
    whether it is zero makes no sense.
    """

    quantity: Quantity
    numerator: FloatArray
    denominator: FloatArray
    unit: str
    note: str = ""
    undefined: str = ""
    is_size: bool = False

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.numerator)


def share_columns(quantity: Quantity, effects: PairEffects, sd: float | None, as_drawn: bool = False) -> RatioColumns:
    """Columns of ``mediated_share``, ``necessity`` or ``total_effect`` for one outcome.

    Parameters
    ----------
    quantity : str
    effects : PairEffects
    sd : float or None
        The outcome's standard deviation over the observed reconstructions; None for the image.
    as_drawn : bool
        Whether the pairs are in the order of drawing, so that a mean may cancel.

    Raises
    ------
    CausalVAEError
        CV504 where a total effect is asked for and the outcome has no standard deviation to measure it in.
    """
    total = effects.total
    if quantity == "total_effect":
        if sd is None:
            raise CausalVAEError(
                "CV504",
                f"{effects.outcome} does not vary over the observed samples, so it has no standard "
                "deviation to measure a total effect in.",
                "Choose another outcome, or more samples.",
                f"total_effect of {effects.outcome}",
            )
        size = "mean size of the change" if effects.along else ""
        note = _join(size, effects.along, dropped_note(effects.dropped), cancel_note(total, as_drawn))
        return RatioColumns(quantity, total / sd, np.ones_like(total), "sd", note, is_size=bool(size))
    part = effects.indirect if quantity == "mediated_share" else effects.total_indirect
    undefined = "" if is_moved(total**2, sd) else f"the treatment does not change {effects.outcome}"
    note = _join(effects.along, dropped_note(effects.dropped))
    return RatioColumns(quantity, part * total, total**2, "share", note, undefined)


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
    outside, everywhere = np.zeros(n), np.zeros(n)
    for attribute, spread in sd.items():
        both = [outcomes.values(arm, attribute, n) for arm in (arms.sufficiency, arms.base)]
        square = (difference(both[0], both[1], periods.get(attribute)) / spread) ** 2
        everywhere += square
        if attribute not in reached:
            outside += square
    finite = np.isfinite(everywhere)
    outside, everywhere = outside[finite], everywhere[finite]
    notes = [] if finite.all() else [f"{int((~finite).sum())} pairs left out: an attribute is undefined there"]
    if not set(sd) - reached:
        notes.append("the declared graph lets the treatment reach every attribute")
    moves = float(np.sqrt(np.mean(everywhere))) > NEGLIGIBLE if len(everywhere) else False
    undefined = "" if moves else "the circuit changes no attribute"
    return RatioColumns("off_target", outside, everywhere, "share", "; ".join(notes), undefined, is_size=True)


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
