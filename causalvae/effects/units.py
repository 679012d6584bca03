"""What a unit is: polysemantic, monosemantic, undecided, undeclared or inert.

With e_f the unit's effect size on factor f (root mean square change in standard deviations) and p = e / sum e, its
breadth is exp(H(p)), H in nats: the number of factors that it moves, were they moved alike. It is *polysemantic* where
the interval of its breadth lies above 1.5, *monosemantic* where it lies below, else *undecided*. None of these holds
where no effect is shown to pass the tolerance: for each factor a t-test of E[change^2] <= tolerance^2 against more, the
smallest p-value times the number of factors (Bonferroni). Such a unit is *undeclared* where it is shown to move the
whole output by more than a hundredth of the output's standard deviation, and *inert* where it moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.effect_matrix import EffectMatrix
from causalvae.effects.significance import t_test
from causalvae.effects.smooth_intervals import EffectBreadth, smooth_intervals
from causalvae.effects.sweep_types import ROLE_NAMES, UnitColumns
from causalvae.effects.types import BROAD, Role, UnitRole
from causalvae.plan.targets import NOTHING

FloatArray = npt.NDArray[np.float64]

# Changes of the whole output up to this many of its standard deviations count as none, since they cannot be seen. It is
# below the tolerance of attributes because the output sums over all its numbers, most of which a local change leaves
# alone.
OUTPUT_TOLERANCE = 0.01
_CHUNK = 128


def entropy(sizes: FloatArray, axis: int) -> FloatArray:
    """Shannon entropy in nats of `sizes` divided by their sum along `axis`; NaN where that sum is zero or undefined."""
    total = sizes.sum(axis=axis, keepdims=True)
    share = np.full_like(sizes, np.nan)
    np.divide(sizes, total, out=share, where=total > 0)
    logs = np.zeros_like(share)
    np.log(share, out=logs, where=share > 0)
    return np.asarray(-(share * logs).sum(axis=axis))


@dataclass(frozen=True)
class OutputChanges:
    """How far each component moves the whole output.

    Parameters
    ----------
    squares : float array, shape (components, n)
        Squared lengths of the change, in the output's own unit.
    sd : float
        Standard deviation of the output over the data; see `Measurements.output_sd`.
    """

    squares: FloatArray
    sd: float


def classify_units(
    matrix: EffectMatrix,
    bootstrap: PairedBootstrap,
    tolerance: float,
    alpha: float = 0.05,
    output: OutputChanges | None = None,
) -> list[UnitRole]:
    """Tell what each component of `matrix` is.

    Parameters
    ----------
    matrix : EffectMatrix
        Over factors or attributes; with fewer than two of them nothing can be told.
    bootstrap : PairedBootstrap
        Over the matrix's pairs.
    tolerance : float
        Effects up to this many standard deviations count as none.
    alpha : float
        Level of the test that a unit has an effect at all.
    output : OutputChanges or None
        Of the same components and pairs; None where runs stop before the output.
    """
    found = unit_columns(matrix, bootstrap, tolerance, alpha, output)
    return [] if found is None else [found.role(k) for k in range(len(matrix.components))]


def unit_columns(
    matrix: EffectMatrix,
    bootstrap: PairedBootstrap,
    tolerance: float,
    alpha: float = 0.05,
    output: OutputChanges | None = None,
) -> UnitColumns | None:
    """The same as columns; None with fewer than two outcomes or without a component."""
    if len(matrix.outcomes) < 2 or not matrix.components:
        return None
    sizes = matrix.sizes
    # What moves nothing has no breadth, and most units of a convolution move nothing.
    moving = np.flatnonzero(matrix.squares.any(axis=(1, 2)))
    breadth = np.full((3, len(matrix.components)), np.nan)
    for start in range(0, len(moving), _CHUNK):
        some = moving[start : start + _CHUNK]
        interval = smooth_intervals(matrix.squares[some], EffectBreadth(len(matrix.outcomes)), bootstrap)
        breadth[:, some] = interval.value, interval.lower, interval.upper
    value, lower, upper = breadth
    p_values = inert_p(matrix.squares, tolerance)
    squares = np.full((len(matrix.components), 1), np.nan) if output is None else output.squares
    sd = np.nan if output is None else output.sd
    p_output = np.ones(len(squares)) if output is None else inert_p(squares[:, None], OUTPUT_TOLERANCE * sd)
    strongest = np.nan_to_num(sizes, nan=-np.inf).argmax(axis=1)
    code: dict[Role, int] = {role: position for position, role in enumerate(ROLE_NAMES)}
    single = np.where(upper < BROAD, code["monosemantic"], code["undecided"])
    broad = np.where(lower > BROAD, code["polysemantic"], single)
    roles = np.where(p_values <= alpha, broad, np.where(p_output <= alpha, code["undeclared"], code["inert"]))
    first = UnitRole(
        owner=matrix.owner, treatment=matrix.treatment, source=matrix.source, direction=matrix.direction,
        component=NOTHING, granularity="", role="inert", breadth=np.nan, lower=None, upper=None,
        confidence=bootstrap.confidence, largest=np.nan, on="", p_value=1.0, over=matrix.over,
        outcomes=len(matrix.outcomes), n=matrix.n,
    )  # fmt: skip
    return UnitColumns(
        first, matrix.components, matrix.granularities, roles, value, lower, upper,
        np.take_along_axis(sizes, strongest[:, None], axis=1)[:, 0], p_values, np.sqrt(squares).mean(axis=1),
        np.sqrt(squares.mean(axis=1)) / sd, strongest, matrix.outcomes,
    )  # fmt: skip


def inert_p(squares: FloatArray, tolerance: float) -> FloatArray:
    """p-value of no effect above `tolerance` on any outcome, shape (components,).

    Parameters
    ----------
    squares : float array, shape (components, outcomes, n)
        Squared changes in squared standard deviations.
    tolerance : float
        In standard deviations.
    """
    components, outcomes, n = squares.shape
    p = t_test(squares.reshape(-1, n) - tolerance**2).p_greater.reshape(components, outcomes)
    return np.asarray(np.minimum(1.0, p.min(axis=1) * outcomes))


def polysemantic_share(roles: Sequence[UnitRole]) -> tuple[float, float, float] | None:
    """Share of the units with an effect that are polysemantic, and the least and most that it can be.

    Returns
    -------
    tuple of float or None
        (value, lowest, highest): the polysemantic units over all that move an outcome of the declared graph; the
        highest counts the undecided ones too. None where there are none.
    """
    active = [role for role in roles if role.moves_declared]
    if not active:
        return None
    sure = sum(role.role == "polysemantic" for role in active)
    possible = sure + sum(role.role == "undecided" for role in active)
    return sure / len(active), sure / len(active), possible / len(active)
