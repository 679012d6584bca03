"""A circuit against other circuits of its size at its sites.

The circuit is special if every rival's relative error is larger by more than `MARGIN`: an intersection-union test,
whose p-value is the largest of the rivals'. Against random circuits the p-value is that of a Monte Carlo test: the
circuit's place among them, those within the margin counting as better.
"""

from __future__ import annotations

import numpy as np

from causalvae.circuits.gaps import Gaps, measure_gaps
from causalvae.circuits.table import CircuitTable, units_of
from causalvae.circuits.types import CircuitScore, Rivals
from causalvae.effects.bootstrap import FloatArray, PairedBootstrap
from causalvae.effects.significance import t_test
from causalvae.plan.types import ClaimDesign
from causalvae.spec.schema import Bound, Hypothesis

# Without a margin, 0.999 against 0.998 would be special in every draw.
MARGIN = 0.05
_BEST = 5
# Rivals that are tried as ones that meet the claim themselves.
_MOST_TRIED = 200


def compare_rivals(
    table: CircuitTable | None, hypothesis: Hypothesis, design: ClaimDesign, bootstrap: PairedBootstrap | None
) -> Rivals:
    """Compare the claimed circuit with its rivals.

    Parameters
    ----------
    table : CircuitTable or None
        None where the treatment changes nothing: then nothing can be shown.
    hypothesis : Hypothesis
    design : ClaimDesign
    bootstrap : PairedBootstrap or None
        Over the table's pairs.
    """
    judged = hypothesis.judges_special
    if table is None or bootstrap is None or not table.rivals:
        p_value = 1.0 if judged and design.rivals != "none" else None
        return Rivals(design.rivals, design.why_none, judged, MARGIN, p_value=p_value, seed=design.seed)
    gaps = measure_gaps(table, table.rivals, MARGIN, bootstrap)
    undefined = ~np.isfinite(gaps.largest)
    as_well = undefined | (gaps.largest <= MARGIN * (1 + 1e-9))
    drawn = design.rivals == "random"
    p_each = gaps.p_worse
    p_value = float(p_each.max())
    if drawn and not table.has_too_few_pairs:
        p_value = (1 + int(as_well.sum())) / (len(table.rivals) + 1)
    # One that cannot be compared comes last.
    order = sorted(range(len(table.rivals)), key=lambda k: _nearness(gaps, k, table))
    close = [k for k in order if (as_well[k] if drawn else p_each[k] > hypothesis.alpha) and not undefined[k]]
    planted = _plant(table, design.seed)
    first = next(iter(table.measures))
    errors = (table.error(first, row) for row in table.rivals)
    return Rivals(
        kind=design.rivals,
        judged=judged,
        margin=MARGIN,
        count=len(table.rivals),
        undefined=int(undefined.sum()),
        as_well=int(as_well.sum()),
        p_value=p_value,
        meets=any(meets_bounds(table, table.rivals[k], hypothesis, hypothesis.alpha) for k in close[:_MOST_TRIED]),
        own=score(table, 0, None),
        best=tuple(
            score(table, table.rivals[k], None if drawn else float(p_each[k]))
            for k in order[:_BEST]
            if not undefined[k]
        ),
        errors=tuple(error for error in errors if error is not None),
        pairs=table.pairs,
        seed=design.seed,
        planted=None if planted is None else score(table, planted, None),
        planted_meets=planted is not None and meets_bounds(table, planted, hypothesis, hypothesis.alpha),
    )


def _plant(table: CircuitTable, seed: int) -> int | None:
    """A rival of the circuit's size that shares no unit with it, at random; None where there is none."""
    rows = [
        row
        for row in table.rivals
        if len(units := units_of(table.circuits[row])) == len(table.units) and not units & table.units
    ]
    return rows[int(np.random.default_rng(seed).integers(len(rows)))] if rows else None


def _nearness(gaps: Gaps, k: int, table: CircuitTable) -> tuple[float, int]:
    """By how much a rival is worse, and its size: of equal ones the smallest comes first."""
    gap = gaps.largest[k]
    size = len(units_of(table.circuits[table.rivals[k]]))
    return (float(np.round(gap, 9)) if np.isfinite(gap) else np.inf), size


def score(table: CircuitTable, row: int, p_value: float | None) -> CircuitScore:
    """What a circuit of the table does."""
    known = table.measures
    return CircuitScore(
        circuit=table.circuits[row],
        error=table.error("sufficiency", row) if "sufficiency" in known else None,
        error_removed=table.error("necessity", row) if "necessity" in known else None,
        share=table.share("sufficiency", row) if "sufficiency" in known else None,
        necessity=table.share("necessity", row) if "necessity" in known else None,
        p_value=p_value,
        is_part=units_of(table.circuits[row]) < table.units,
    )


def meets_bounds(table: CircuitTable, row: int, hypothesis: Hypothesis, alpha: float) -> bool:
    """Whether a circuit is shown to meet every bound that the claim sets on a circuit, each at level `alpha`."""
    margins = bound_margins(table, row, hypothesis)
    if table.off_target is not None:
        outside, everywhere = table.off_target
        margins += _margins(outside[row], everywhere[row], hypothesis.expect.bound("off_target"))
    stacked = np.stack(margins)
    return bool(np.isfinite(stacked).all() and t_test(stacked).p_greater.max() <= alpha)


def bound_margins(table: CircuitTable, row: int, hypothesis: Hypothesis) -> list[FloatArray]:
    """For each bound on the shares of a circuit, pairwise values whose mean is positive where it is met."""
    margins: list[FloatArray] = []
    if "sufficiency" in table.measures:
        columns = table.measures["sufficiency"]
        margins += _margins(columns.products[row], table.total, hypothesis.share_bound)
        margins += _margins(table.total - columns.squares[row], table.total, hypothesis.fit_bound)
    if "necessity" in table.measures:
        lost = table.measures["necessity"].products[row]
        margins += _margins(lost, table.total, hypothesis.expect.bound("necessity"))
    return margins


def _margins(numerator: FloatArray, denominator: FloatArray, bound: Bound | None) -> list[FloatArray]:
    found = []
    if bound is not None and bound.at_least is not None:
        found.append(numerator - bound.at_least * denominator)
    if bound is not None and bound.at_most is not None:
        found.append(bound.at_most * denominator - numerator)
    return found
