"""A claimed circuit and its rivals, as arrays over the pairs that all of them were run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from causalvae.circuits.types import Circuit, Measure, Part
from causalvae.effects import EffectContext
from causalvae.effects.bootstrap import BoolArray, FloatArray
from causalvae.effects.claims import off_target_squares
from causalvae.effects.mediation import arms_of
from causalvae.effects.outcomes import is_moved
from causalvae.models.components import ComponentRef
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Role
from causalvae.spec.hypothesis_section import FEWEST_PAIRS
from causalvae.spec.schema import Hypothesis


@dataclass(frozen=True)
class MeasuredCircuits:
    """What each circuit does by one measure; rows of circuits that were not run so are NaN.

    Parameters
    ----------
    squares : float array, shape (circuits, n)
        ||TE - NIE||^2 for sufficiency, ||NDE||^2 for necessity.
    products : float array, shape (circuits, n)
        NIE TE for sufficiency, TIE TE for necessity.
    """

    squares: FloatArray
    products: FloatArray


@dataclass(frozen=True)
class CircuitTable:
    """The claimed circuit, which is row 0, and the circuits that it is compared with.

    Parameters
    ----------
    circuits : tuple of tuple of Part
    total : float array, shape (n,)
        ||TE||^2; every pair in which the claimed circuit's outcome is defined.
    measures : dict
        Those that are claimed.
    rivals, parts, singles, subsets : tuple of int
        Rows; one circuit may be several of these.
    pairs : int
        That were run, those without a defined outcome among them.
    off_target : tuple of float arrays, shape (circuits, n), or None
        Squared effects off target and everywhere, where a bound on their ratio is claimed.
    """

    circuits: tuple[Circuit, ...]
    total: FloatArray
    measures: Mapping[Measure, MeasuredCircuits]
    rivals: tuple[int, ...] = ()
    parts: tuple[int, ...] = ()
    singles: tuple[int, ...] = ()
    subsets: tuple[int, ...] = ()
    pairs: int = 0
    off_target: tuple[FloatArray, FloatArray] | None = None

    @property
    def units(self) -> frozenset[tuple[str, int | None]]:
        """The claimed circuit's units by site; None stands for all of a site."""
        return units_of(self.circuits[0])

    @property
    def has_too_few_pairs(self) -> bool:
        """Whether too few pairs are defined to judge a comparison by."""
        return len(self.total) < FEWEST_PAIRS

    def defined(self, measure: Measure) -> BoolArray:
        """Which circuits are defined on all pairs, shape (circuits,)."""
        return np.asarray(np.isfinite(self.measures[measure].squares).all(axis=1))

    def error(self, measure: Measure, row: int) -> float | None:
        """The relative error D of a circuit; None where it was not measured or is undefined."""
        value = float(np.sqrt(self.measures[measure].squares[row].sum() / self.total.sum()))
        return value if np.isfinite(value) else None

    def share(self, measure: Measure, row: int) -> float | None:
        """The share sum NIE TE / sum TE^2, or sum TIE TE / sum TE^2; None where it was not measured or is undefined."""
        value = float(self.measures[measure].products[row].sum() / self.total.sum())
        return value if np.isfinite(value) else None


def units_of(circuit: Circuit) -> frozenset[tuple[str, int | None]]:
    """A circuit's units by site and window; None stands for all of them."""
    return frozenset(
        (part.whole.label, unit) for part in circuit for unit in ((None,) if part.units is None else part.units)
    )


def is_inside(unit: Part, units: frozenset[tuple[str, int | None]]) -> bool:
    """Whether a unit is among `units`, by itself or with all of its site."""
    return units_of((unit,)) <= units or units_of((unit.whole,)) <= units


BESIDE: tuple[Role, ...] = ("rival", "part", "single")


def read_table(
    context: EffectContext,
    hypothesis: Hypothesis,
    arms: Mapping[str, Arm],
    reached: frozenset[str],
    roles: tuple[Role, ...] = BESIDE,
) -> CircuitTable | None:
    """The circuits of a hypothesis, from a run's tables.

    Parameters
    ----------
    context : EffectContext
    hypothesis : Hypothesis
    arms : mapping
        Arms of the plan by id.
    reached : frozenset of str
        Attributes on target.
    roles : tuple of str
        Of the circuits; those of ``subset`` are run on pairs of their own number.

    Returns
    -------
    CircuitTable or None
        None where no share is claimed, the plan runs no circuit other than the claimed one, or the treatment changes
        nothing on these pairs.
    """
    owner, plan = Owner.hypothesis(hypothesis.name), context.plan
    uses = [use for use in plan.uses_of(owner) if use.role in roles]
    if not uses or not hypothesis.claims_a_share:
        return None
    clean = arms_of(plan, owner)
    rows: dict[Circuit, int] = {_circuit(arms[clean.sufficiency]): 0}
    found: dict[Measure, dict[int, str]] = {"sufficiency": {0: clean.sufficiency}, "necessity": {0: clean.necessity}}
    places: dict[str, dict[int, None]] = {role: {} for role in (*BESIDE, "subset")}
    for use in uses:
        row = rows.setdefault(_circuit(arms[use.arm]), len(rows))
        measure: Measure = "sufficiency" if arms[use.arm].side == "base" else "necessity"
        found[measure][row] = found[measure].get(row, use.arm)
        places[use.role][row] = None
    covered = context.outcomes.pairs([clean.base, clean.counterfactual, *(use.arm for use in uses)])
    pairs = covered if "subset" in roles else min(covered, hypothesis.null.pairs)
    changes = context.changes(clean.base, clean.counterfactual, hypothesis.outcome)
    total = changes.total(pairs)
    measures: dict[Measure, MeasuredCircuits] = {}
    for measure in claimed_measures(hypothesis):
        ids = list(found[measure].values())
        left, done = changes.squares(ids, pairs)
        products = changes.carried(ids, pairs, removed=measure == "necessity")
        squares = left if measure == "sufficiency" else done
        measured = list(found[measure])
        measures[measure] = MeasuredCircuits(
            _placed(squares, measured, len(rows)), _placed(products * total, measured, len(rows))
        )
    known = np.isfinite(total)
    for columns in measures.values():
        known &= np.isfinite(columns.squares[0]) & np.isfinite(columns.products[0])
    squared = total[known] ** 2
    if not is_moved(squared, context.scale.sd_of(hypothesis.outcome), context.outcomes.rounding(hypothesis.outcome)):
        return None
    return CircuitTable(
        circuits=tuple(rows),
        total=squared,
        measures={
            measure: MeasuredCircuits(columns.squares[:, known], columns.products[:, known])
            for measure, columns in measures.items()
        },
        rivals=tuple(places["rival"]),
        parts=tuple(places["part"]),
        singles=tuple(places["single"]),
        subsets=tuple(places["subset"]),
        pairs=pairs,
        off_target=_off_target(
            context, hypothesis, clean.base, found["sufficiency"], (len(rows), pairs), known, reached
        ),
    )


def claimed_measures(hypothesis: Hypothesis) -> tuple[Measure, ...]:
    """The measures on which a hypothesis bounds the share of its circuit."""
    bounds: dict[Measure, object] = {
        "sufficiency": hypothesis.expect.bound("mediated_share"),
        "necessity": hypothesis.expect.bound("necessity"),
    }
    return tuple(measure for measure, bound in bounds.items() if bound is not None)


def _circuit(arm: Arm) -> Circuit:
    return tuple(ComponentRef(patch.site, patch.units, patch.window) for patch in arm.patches)


def _placed(values: FloatArray, rows: list[int], total: int) -> FloatArray:
    """Rows of values at their places among `total` rows, NaN elsewhere."""
    placed = np.full((total, values.shape[1]), np.nan)
    placed[rows] = values
    return placed


def _off_target(
    context: EffectContext,
    hypothesis: Hypothesis,
    base: str,
    ids: Mapping[int, str],
    shape: tuple[int, int],
    known: BoolArray,
    reached: frozenset[str],
) -> tuple[FloatArray, FloatArray] | None:
    """Squared effects off target and everywhere of the circuits that were run alone."""
    if hypothesis.expect.bound("off_target") is None:
        return None
    outside, everywhere = np.full(shape, np.nan), np.full(shape, np.nan)
    for row, arm in ids.items():
        outside[row], everywhere[row] = off_target_squares(
            context.outcomes, arm, base, shape[1], reached, context.scale.sd, context.scale.periods
        )
    return outside[:, known], everywhere[:, known]
