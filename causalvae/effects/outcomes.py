"""Outcome rows by arm: blocks of (arms, pairs) out of the long table, found once and sliced after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from causalvae.effects.notes import CANCELS, Notes
from causalvae.engine.measurements import Measurements
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.plan.types import Plan, Role, Use

FloatArray = npt.NDArray[np.float64]

IMAGE = "image"

# Outputs are float32: a spread below this part of the values' size, or of one where they are small, is rounding.
ROUNDING = 1e-6
# A root mean square change below this many standard deviations is arithmetic noise of float32 outputs.
NEGLIGIBLE = 1e-3


class Outcomes:
    """The outcomes of a run, by arm and pair.

    Parameters
    ----------
    measurements : Measurements
        Its outcomes may be in any order; each arm's rows must be the pairs 0, 1, ... without gaps.

    Raises
    ------
    CausalVAEError
        CV501 where an arm's pairs have a gap or a double.
    """

    def __init__(self, measurements: Measurements) -> None:
        self.measurements = measurements
        self._table = measurements.open_table()
        fault = self._table.find_fault()
        if fault is not None:
            raise CausalVAEError(
                "CV501",
                "An arm's rows are not the pairs 0, 1, 2, ... each once.",
                "Delete the run folder and run again.",
                f"arm {fault}",
            )

    def pairs(self, arm_ids: Sequence[str]) -> int:
        """How many pairs all of `arm_ids` cover."""
        return min(self._count(arm) for arm in arm_ids)

    def block(self, arm_ids: Sequence[str], column: str, pairs: int | None = None) -> FloatArray:
        """One column of several arms.

        Parameters
        ----------
        arm_ids : sequence of str
        column : str
            An attribute, ``image_sq`` or ``image_dot``.
        pairs : int, optional
            Only the first this many pairs; by default as many as all the arms cover.

        Returns
        -------
        float array, shape (arms, pairs)
        """
        counts = [self._count(arm) for arm in arm_ids]
        width = min(counts) if pairs is None else pairs
        if min(counts) < width:
            raise CausalVAEError(
                "CV501",
                f"{width} pairs are needed, {min(counts)} were measured.",
                "Delete the run folder and run again.",
                f"arm {arm_ids[int(np.argmin(counts))]}",
            )
        return self._table.block(arm_ids, column, width).astype(np.float64)

    def rounding(self, outcome: str) -> float:
        """A change of this size is rounding."""
        return ROUNDING * self.measurements.affines.get(outcome, (0.0, 1.0))[1]

    def values(self, arm_id: str, column: str, pairs: int | None = None) -> FloatArray:
        """One column of one arm, shape (pairs,)."""
        column_values: FloatArray = self.block((arm_id,), column, pairs)[0]
        return column_values

    def _count(self, arm: str) -> int:
        try:
            return self._table.pairs(arm)
        except KeyError:
            raise CausalVAEError(
                "CV501",
                "An arm of the plan was not measured.",
                "Run the plan to its end before analysing it.",
                f"arm {arm}",
            ) from None


def use_at(plan: Plan, owner: Owner, role: Role, index: int = 0) -> Use:
    """The use of `owner` with this role and position.

    Raises
    ------
    CausalVAEError
        CV502 where the plan has none.
    """
    for use in plan.uses_of(owner, role):
        if use.index == index:
            return use
    raise CausalVAEError(
        "CV502", f"The plan has no {role} arm at position {index}.", "Compile the plan again from the same spec.", owner
    )


def difference(left: FloatArray, right: FloatArray, period: float | None = None) -> FloatArray:
    """``left - right``; with a `period`, wrapped into (-period/2, period/2]."""
    change = left - right
    if period is None:
        return change
    return np.asarray(period / 2 - np.mod(period / 2 - change, period))


def near(change: FloatArray, reference: FloatArray, period: float | None) -> FloatArray:
    """`change`, with a `period` counted from `reference` the short way round: reference + wrap(change - reference).

    Differences on a circle of which each is wrapped on its own cannot be multiplied or subtracted: 170 and -170 degrees
    are 20 degrees apart.
    """
    if period is None:
        return change
    return np.asarray(reference + difference(change, reference, period))


def varies(deviation: float, values: FloatArray, affine: tuple[float, float] = (0.0, 1.0)) -> bool:
    """Whether a standard deviation is more than rounding: above 1e-6 max(span, mean |value - offset|).

    Parameters
    ----------
    deviation : float
        NaN, as of fewer than two values, does not vary.
    values : float array
        The attribute's values; undefined ones are omitted.
    affine : (float, float)
        Offset and span of the attribute: it is offset + span times numbers that a network puts out.
    """
    offset, span = affine
    known = np.abs(values[np.isfinite(values)] - offset)
    size = float(known.mean()) if len(known) else 0.0
    return bool(deviation > ROUNDING * max(span, size)) and bool(np.isfinite(deviation))


def is_moved(squares: FloatArray, sd: float | None, rounding: float = ROUNDING) -> bool:
    """Whether a treatment changes an outcome at all, so that shares of its effect mean something.

    Parameters
    ----------
    squares : float array, shape (n,)
        Squared total effects.
    sd : float or None
        The outcome's standard deviation over the observed reconstructions; None where it has none.
    rounding : float
        What counts as no change where it has none.
    """
    size = float(np.sqrt(np.mean(squares))) if len(squares) else 0.0
    return size > (rounding if sd is None else NEGLIGIBLE * sd)


def cancelling(total: FloatArray, as_drawn: bool) -> Notes:
    """Says that pairs cancel in a mean, where they are as drawn and their total effects have both signs."""
    if not as_drawn or not len(total):
        return ()
    least = NEGLIGIBLE * float(np.sqrt(np.mean(total**2)))
    return (CANCELS,) if bool((total > least).any() and (total < -least).any()) else ()


def output_squares(outcomes: Outcomes, arms: Sequence[str], counterfactual: str | None, n: int) -> FloatArray:
    """Squared length of the whole output's change by each arm, shape (arms, n).

    Parameters
    ----------
    outcomes : Outcomes
    arms : sequence of str
    counterfactual : str or None
        The clean run that the change is measured from; the base run where None.
    n : int
        Pairs.
    """
    squares = outcomes.block(arms, "image_sq", n)
    if counterfactual is not None:
        # ||y' - y_arm||^2 from the two squares and the inner product, all measured from the base output.
        squares = squares - 2 * outcomes.block(arms, "image_dot", n) + outcomes.values(counterfactual, "image_sq", n)
    return np.asarray(np.maximum(squares, 0.0))
