"""Every set of a site's units as a circuit: which are shown to be minimal, which may be, and what each unit adds.

Each bound on a set's shares is a mean over pairs (`causalvae.circuits.rivals.bound_margins`). All means of all sets are
bounded at once by the largest studentised deviation over bootstrap resamples (max-t): intervals of one set at a time
certify wrong circuits in up to 40 % of draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from causalvae.circuits.rivals import bound_margins, score
from causalvae.circuits.table import CircuitTable, is_inside, units_of
from causalvae.circuits.types import Certified, Circuit, CircuitScore, ShapleyValue, Subsets
from causalvae.effects.bootstrap import BoolArray, FloatArray, PairedBootstrap
from causalvae.models.components import ComponentRef
from causalvae.plan.types import ClaimDesign
from causalvae.spec.schema import Hypothesis

IntArray = npt.NDArray[np.int64]
# Numbers that are held at once.
_MOST_NUMBERS = 10_000_000
# A mean or spread below this part of the total effect's square is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Sets:
    """What was found of each set of units, a set being a bit mask.

    Parameters
    ----------
    masks : int array, shape (sets,)
    lowest, highest : float array, shape (sets,)
        The smallest studentised margin of a set, and the largest one with its sign turned: a set meets all bounds if
        the first exceeds the critical value, and breaks one if the second does. 0 where a set is undefined.
    largest : float array, shape (resamples,)
        The largest deviation of any margin of any set in each resample.
    """

    masks: IntArray
    lowest: FloatArray
    highest: FloatArray
    largest: FloatArray

    def critical(self, alpha: float) -> float:
        """The value that no margin exceeds by chance, with probability 1 - alpha."""
        return float(np.quantile(self.largest, 1 - alpha, method="higher"))

    def p_value(self, statistic: float) -> float:
        """Of a margin as large as `statistic`, over all sets; 1 where it has the wrong sign."""
        return 1.0 if statistic <= 0 else float((1 + (self.largest >= statistic).sum()) / (len(self.largest) + 1))


def examine_subsets(
    table: CircuitTable | None,
    hypothesis: Hypothesis,
    design: ClaimDesign,
    bootstrap: PairedBootstrap | None,
    alpha: float,
) -> Subsets | None:
    """List the circuits among all sets of the units of the circuit's sites.

    Parameters
    ----------
    table : CircuitTable or None
        With the sets as its subsets; None where the treatment changes nothing.
    hypothesis : Hypothesis
    design : ClaimDesign
    bootstrap : PairedBootstrap or None
        Over the table's pairs.
    alpha : float
        Level over all sets, divided by the spec's hypotheses already.

    Notes
    -----
    A set is a certified minimal circuit if it is shown to meet the claim and every proper subset is shown not to. The
    list is complete if every undecided set holds a certified circuit. The claimed circuit C is unique if it meets the
    claim and every set that does not hold C breaks it.
    """
    if table is None or bootstrap is None or design.enumerated != "sites" or not table.subsets:
        return None
    units, rows = order_units(table)
    sets = studentise_margins(table, hypothesis, rows, bootstrap)
    critical = sets.critical(alpha)
    meets, breaks = sets.lowest > critical, sets.highest > critical
    certified = certify(sets.masks, meets, breaks)
    held = _holds_any(sets.masks, sets.masks[certified])
    undecided = ~meets & ~breaks
    open_sets = undecided & ~held
    own = _mask(table.circuits[0], units)
    elsewhere: BoolArray = np.asarray((sets.masks & own) != own)
    mine = int(np.flatnonzero(sets.masks == own)[0])
    statistic = min(float(sets.lowest[mine]), float(sets.highest[elsewhere].min(initial=np.inf)))
    against = float(sets.lowest[elsewhere].max(initial=0.0))
    bound = hypothesis.expect.bound("mediated_share")
    least = 0.0 if bound is None or bound.at_least is None else bound.at_least
    found = tuple(
        Certified(
            table.circuits[rows[k]], table.share("sufficiency", rows[k]) or 0.0,
            table.error("sufficiency", rows[k]) or 0.0, overlap(int(sets.masks[k]), own),
        )
        for k in sorted(np.flatnonzero(certified), key=lambda k: int(sets.masks[k]).bit_count())
    )  # fmt: skip
    listed = [int(mask) for mask in sets.masks[certified]]
    between = [overlap(a, b) for k, a in enumerate(listed) for b in listed[:k]]
    few = table.has_too_few_pairs
    return Subsets(
        judged=hypothesis.judges_unique,
        units=len(units),
        count=len(sets.masks),
        meeting=int(meets.sum()),
        undecided=int(undecided.sum()),
        certified=found,
        possible=int(open_sets.sum()),
        nearest=_nearest(table, rows, open_sets if open_sets.any() else np.ones_like(open_sets), least),
        mean_overlap=float(np.mean(between)) if between else None,
        shapley=shapley_values(table, units, rows, sets.masks, bootstrap),
        p_unique=1.0 if few else sets.p_value(statistic),
        p_not_unique=1.0 if few else sets.p_value(against),
        alpha=alpha,
        confidence=bootstrap.confidence,
        pairs=table.pairs,
    )


def order_units(table: CircuitTable) -> tuple[tuple[ComponentRef, ...], list[int]]:
    """The units of the sets, in the order of the smallest sets, and the sets' rows, each mask once."""
    units = tuple(
        dict.fromkeys(
            ComponentRef(part.site, (unit,), part.window)
            for row in table.subsets
            for part in table.circuits[row]
            for unit in part.units or ()
        )
    )
    rows: dict[int, int] = {}
    for row in table.subsets:
        rows.setdefault(_mask(table.circuits[row], units), row)
    return units, list(rows.values())


def studentise_margins(
    table: CircuitTable, hypothesis: Hypothesis, rows: list[int], bootstrap: PairedBootstrap
) -> Sets:
    """Every bound of every set as a mean over its standard error, with the largest deviation in each resample."""
    units, _ = order_units(table)
    n = len(table.total)
    margins = np.stack([np.stack(bound_margins(table, row, hypothesis)) for row in rows])
    sets, bounds = margins.shape[:2]
    flat = margins.reshape(sets * bounds, n)
    defined: BoolArray = np.asarray(np.isfinite(flat).all(axis=1))
    flat = np.where(defined[:, None], flat, 0.0)
    mean, sd = flat.mean(axis=1), flat.std(axis=1, ddof=1)
    small = _ROUNDING * float(table.total.mean())
    # A plug-in spread of resamples is smaller than that of samples by n / (n - 1).
    error = sd / np.sqrt(n) * np.sqrt(n / (n - 1))
    varies = sd > small
    certain = np.where(np.abs(mean) > small, np.sign(mean) * np.inf, 0.0)
    statistics = np.divide(mean, error, out=certain, where=varies)
    statistics = np.where(defined, statistics, 0.0).reshape(sets, bounds)
    largest = np.zeros(bootstrap.resamples)
    moving = np.flatnonzero(varies & defined)
    step = max(1, _MOST_NUMBERS // bootstrap.resamples)
    weights = bootstrap.weights.T
    for first in range(0, len(moving), step):
        part = moving[first : first + step]
        off = np.abs(flat[part] @ weights / n - mean[part, None]) / error[part, None]
        largest = np.maximum(largest, off.max(axis=0))
    masks = np.array([_mask(table.circuits[row], units) for row in rows], dtype=np.int64)
    return Sets(masks, statistics.min(axis=1), (-statistics).max(axis=1), largest)


def certify(masks: IntArray, meets: BoolArray, breaks: BoolArray) -> BoolArray:
    """Which sets meet the claim while every proper subset that is not empty breaks it."""
    certified = np.zeros(len(masks), dtype=bool)
    for k in np.flatnonzero(meets):
        inside = ((masks & ~masks[k]) == 0) & (masks != masks[k])
        certified[k] = breaks[inside].all()
    return certified


def shapley_values(
    table: CircuitTable, units: tuple[ComponentRef, ...], rows: list[int], masks: IntArray, bootstrap: PairedBootstrap
) -> tuple[ShapleyValue, ...]:
    """Shapley values of the mediated share, the largest first (Shapley 1953).

    Notes
    -----
    phi_i = sum over sets S without i of |S|! (m - |S| - 1)! / m! (share(S with i) - share(S)), the empty set having no
    share. They add up to the share of all units. Each is a ratio of sums over pairs, as shares are.
    """
    m = len(units)
    products = table.measures["sufficiency"].products[rows]
    if not np.isfinite(products).all() or len(masks) != 2**m - 1:
        return ()
    sizes = np.array([int(mask).bit_count() for mask in masks])
    # A set with i counts as what i adds to the rest of it; one without i as what i is added to.
    within = np.array([0.0, *(1 / (m * comb(m - 1, size - 1)) for size in range(1, m + 1))])[sizes]
    without = np.array([1 / (m * comb(m - 1, size)) if size < m else 0.0 for size in range(m + 1)])[sizes]
    bits = (masks[None] >> np.arange(m)[:, None]) & 1
    parts = np.where(bits == 1, within, -without) @ products
    found = bootstrap.ratio(parts, np.repeat(table.total[None], m, axis=0))
    own = units_of(table.circuits[0])
    values = [
        ShapleyValue(
            unit, float(found.value[k]), float(found.lower[k]), float(found.upper[k]),
            is_inside(unit, own),
        )
        for k, unit in enumerate(units)
    ]  # fmt: skip
    return tuple(sorted(values, key=lambda value: -value.value))


def overlap(first: int, second: int) -> float:
    """Intersection over union of two masks."""
    return (first & second).bit_count() / (first | second).bit_count()


def _mask(circuit: Circuit, units: tuple[ComponentRef, ...]) -> int:
    own = units_of(circuit)
    return sum(
        1 << k for k, unit in enumerate(units) if is_inside(unit, own)
    )  # fmt: skip


def _holds_any(masks: IntArray, inner: IntArray) -> BoolArray:
    held = np.zeros(len(masks), dtype=bool)
    for mask in inner:
        held |= (masks & mask) == mask
    return held


def _nearest(table: CircuitTable, rows: list[int], among: BoolArray, least: float) -> CircuitScore | None:
    shares = table.measures["sufficiency"].products[rows].sum(axis=1) / table.total.sum()
    gaps = np.where(among & np.isfinite(shares), np.abs(shares - least), np.inf)
    k = int(gaps.argmin())
    return score(table, rows[k], None) if np.isfinite(gaps[k]) else None
