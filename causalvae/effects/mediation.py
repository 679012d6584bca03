"""Mediation, exactly: total, natural direct and indirect effects and their interaction, pair by pair.

Definitions (Pearl 2001; Vig et al. 2020 for networks), for a base input x, its counterfactual x', mediators c and an
outcome Y of the decoded output:

- total effect TE = Y(x') - Y(x)
- natural indirect effect NIE = Y(x; c <- c(x')) - Y(x), the *pure* one
- natural direct effect NDE = Y(x'; c <- c(x)) - Y(x)
- total indirect effect TIE = Y(x') - Y(x'; c <- c(x))
- interaction = TE - NDE - NIE (= TIE - NIE where the outcome has no period)

For an outcome of several numbers, a vector of attributes or the image, each effect is a change of them all; what is
kept of it is its component along the total change, <effect, TE> / ||TE||, so that all five still add up and products
with TE are inner products (`causalvae.effects.changes`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import BoolArray, FloatArray, PairedBootstrap
from causalvae.effects.changes import VectorChanges, changes_of, divide_or_zero
from causalvae.effects.notes import HARDLY_MOVED, SIZE_NOT_TESTED, UNCLEAR, Note, Notes, dropped
from causalvae.effects.outcomes import ROUNDING, Outcomes, is_moved, use_at
from causalvae.effects.scale import Vector
from causalvae.effects.significance import t_test
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Plan

RATIO_FLOOR = 0.1
# A share over fewer pairs of equal effects than this is a share of a few.
_FEW_ALIKE = 10
# Intervals that rest on fewer misses than so many alike are too narrow, if their standard error is not negligible.
_FEW_MISSES = 4
_SEEN_ERROR = 0.005
# Of a difference of float64 numbers, compared with their size.
_ROUNDING = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class MediationArms:
    """Ids of the four arms of one mediation."""

    base: str
    counterfactual: str
    sufficiency: str
    necessity: str


@dataclass(frozen=True)
class VectorParts:
    """TE, NIE and TIE of each component of a vector, in its divisors, of shape (components, n)."""

    total: FloatArray
    indirect: FloatArray
    total_indirect: FloatArray


@dataclass(frozen=True)
class PairEffects:
    """The effects of each pair on one outcome.

    Parameters
    ----------
    outcome : str
        Attribute, ``image``, or a vector's name.
    total, direct, indirect, total_indirect : float array, shape (n,)
        TE, NDE, NIE and TIE.
    dropped : int
        Pairs omitted because the outcome was undefined (not finite) in one of the arms.
    along : tuple of Note
        What the effects are components along; empty where they are plain differences.
    parts : VectorParts or None
        Of a vector: the same effects component by component.
    kept : bool array, shape (n + dropped,), or None
        Which pairs these are, of all that the arms cover; None where that is not known.
    rounding : float
        A change of this size is rounding.
    near_indirect, near_total_indirect : float array, shape (n,), or None
        NIE and TIE of an outcome on a circle, counted from TE the short way round; None where that changes nothing.
        Near half a period the wrapped numbers of two like effects have opposite signs, so that products with TE and
        differences from it take these.
    """

    outcome: str
    total: FloatArray
    direct: FloatArray
    indirect: FloatArray
    total_indirect: FloatArray
    dropped: int = 0
    along: Notes = ()
    parts: VectorParts | None = None
    kept: BoolArray | None = None
    rounding: float = ROUNDING
    near_indirect: FloatArray | None = None
    near_total_indirect: FloatArray | None = None

    @property
    def carried(self) -> FloatArray:
        """NIE, for products with TE."""
        return self.indirect if self.near_indirect is None else self.near_indirect

    @property
    def removed(self) -> FloatArray:
        """TIE, for products with TE."""
        return self.total_indirect if self.near_total_indirect is None else self.near_total_indirect

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.total)

    def is_on_the_pairs_of(self, other: PairEffects) -> bool:
        """Whether both are of the same pairs, one by one."""
        if self.kept is None or other.kept is None:
            return self.n == other.n and not self.dropped and not other.dropped
        return np.array_equal(self.kept, other.kept)

    @property
    def interaction(self) -> FloatArray:
        """TE - NDE - NIE, shape (n,); what is rounding of these three is zero."""
        rest = self.total - self.direct - self.indirect
        size = np.abs(self.total) + np.abs(self.direct) + np.abs(self.indirect)
        return np.where(np.abs(rest) > _ROUNDING * size, rest, 0.0)


def pair_effects(
    outcomes: Outcomes, arms: MediationArms, outcome: str, period: float | None = None, vector: Vector | None = None
) -> PairEffects:
    """The effects of each pair that all four arms cover.

    Parameters
    ----------
    outcomes : Outcomes
    arms : MediationArms
    outcome : str
        Attribute, ``image``, or a vector's name.
    period : float, optional
        The attribute's period: its differences are wrapped into (-period/2, period/2].
    vector : Vector, optional
        What the outcome is, where it is a vector.
    """
    n = outcomes.pairs((arms.base, arms.counterfactual, arms.sufficiency, arms.necessity))
    changes = changes_of(outcomes, arms.base, arms.counterfactual, outcome, period, vector)
    total = changes.total(n)
    direct, indirect = changes.between((arms.necessity, arms.sufficiency), arms.base, n)
    total_indirect = changes.between((arms.counterfactual,), arms.necessity, n)[0]
    columns = np.stack([total, direct, indirect, total_indirect])
    finite = np.isfinite(columns).all(axis=0)
    parts = None
    if isinstance(changes, VectorChanges):
        parts = VectorParts(
            changes.parts(arms.counterfactual, arms.base, n)[:, finite],
            changes.parts(arms.sufficiency, arms.base, n)[:, finite],
            changes.parts(arms.counterfactual, arms.necessity, n)[:, finite],
        )
    total, direct, indirect, total_indirect = columns[:, finite]
    carried = removed = None
    if period is not None or (vector is not None and vector.on_circle):
        carried = changes.carried((arms.sufficiency,), n)[0][finite]
        removed = changes.carried((arms.necessity,), n, removed=True)[0][finite]
    return PairEffects(
        outcome, total, direct, indirect, total_indirect, int(n - finite.sum()), changes.along, parts, finite,
        outcomes.rounding(outcome), carried, removed,
    )  # fmt: skip


def mediation_estimates(
    effects: PairEffects,
    bootstrap: PairedBootstrap,
    ablation: Ablation,
    unit: str,
    *,
    with_total: bool = True,
    sd: float | None = None,
    declared: bool = True,
    mean_notes: Notes = (),
    indirect_notes: Notes = (),
) -> list[Estimate]:
    """Means of the five effects, and the shares of the total effect that the mediators carry.

    Parameters
    ----------
    effects : PairEffects
        With two pairs or more.
    bootstrap : PairedBootstrap
        Over ``effects.n`` pairs.
    ablation : Ablation
    unit : str
        The outcome's own unit.
    with_total : bool
        Whether to give the total effect too; a mediator alone repeats that of the joint set.
    sd : float or None
        The outcome's standard deviation over the observed reconstructions, by which it is told whether it is moved.
    declared : bool
        Whether the user asked for this outcome. The shares of an effect that is hardly there then carry a note that
        says so; otherwise they are omitted.
    mean_note, indirect_note : str
        Added to the note of every mean, and of the natural indirect effect's.

    Notes
    -----
    ``mediated_share`` = sum NIE TE / sum TE^2 and ``necessity`` = sum TIE TE / sum TE^2: least-squares slopes, well
    defined whatever the order of each pair. ``..._ratio_of_means`` = mean NIE / mean TE, which needs a mean effect away
    from zero; ``..._mean_of_ratios`` = mean of NIE / TE over the pairs whose |TE| is at least `RATIO_FLOOR` times the
    root mean square of TE, with the quantiles of the ratio in its note. On a circle NIE and TIE
    are here counted from TE the short way round.
    """
    named = [
        ("total_effect", effects.total, ""),
        ("natural_direct_effect", effects.direct, "noising"),
        ("natural_indirect_effect", effects.indirect, "denoising"),
        ("total_indirect_effect", effects.total_indirect, "noising"),
        ("interaction", effects.interaction, ""),
    ]
    columns = np.stack([column for _, column, _ in named])
    means, test = bootstrap.ratio(columns), t_test(columns)
    moved = is_moved(effects.total**2, sd, effects.rounding)
    hardly = () if moved else (HARDLY_MOVED,)
    notes = _notes(effects)
    estimates = []
    for k, (estimand, _, direction) in enumerate(named):
        if estimand == "total_effect" and not with_total:
            continue
        owner = ablation.clean if estimand == "total_effect" else ablation
        p_value: float | None = float(test.p_two_sided[k])
        extra = (*notes, *mean_notes)
        if estimand == "natural_indirect_effect":
            extra += indirect_notes
        if estimand == "total_effect":
            extra += hardly
            if effects.along:
                p_value, extra = None, (*extra, SIZE_NOT_TESTED)
        estimates.append(
            owner.estimate(
                estimand, effects.outcome, unit, effects.n, means.value[k], means.ends(k), p_value,
                direction=direction, notes=extra,
            )
        )  # fmt: skip
    if not moved and not declared:
        return estimates
    for name, part, direction in (
        ("mediated_share", effects.carried, "denoising"),
        ("necessity", effects.removed, "noising"),
    ):
        estimates.extend(_shares(name, part, effects, bootstrap, ablation, direction, hardly, mean_notes))
    return estimates


def remainder_estimate(
    joint: PairEffects,
    alone: Sequence[PairEffects],
    bootstrap: PairedBootstrap,
    ablation: Ablation,
    unit: str,
    notes: Notes = (),
) -> Estimate:
    """What the mediators carry together beyond the sum of what each carries alone: NIE(set) - sum of NIE(each).

    All must be on the same pairs, and the mediators must not overlap (`overlap`); `notes` are added to the estimate's.
    """
    rest = (joint.indirect - np.sum([effects.indirect for effects in alone], axis=0))[None]
    mean, test = bootstrap.ratio(rest), t_test(rest)
    return ablation.estimate(
        "indirect_effect_remainder", joint.outcome, unit, joint.n, mean.value[0],
        mean.ends(0), float(test.p_two_sided[0]), direction="denoising",
        notes=(Note("remainder"), *notes),
    )  # fmt: skip


def overlap(arms: Sequence[Arm]) -> bool:
    """Whether two of these arms patch the same place of a site."""
    places = [(owner, patch) for owner, arm in enumerate(arms) for patch in arm.patches]
    return any(
        first_owner < second_owner and first.site == second.site and first.meets(second)
        for first_owner, first in places
        for second_owner, second in places
    )


def serial(arms: Sequence[Arm]) -> Notes:
    """How to read a remainder of mediators at different sites; nothing where they share one site."""
    sites = {patch.site for arm in arms for patch in arm.patches}
    return (Note("serial"),) if len(sites) > 1 else ()


def arms_of(plan: Plan, owner: Owner, index: int = 0) -> MediationArms:
    """The four arms of `owner`'s mediation at position `index` (0 is the joint set).

    Raises
    ------
    CausalVAEError
        CV502 where the plan lacks one of them.
    """
    return MediationArms(
        use_at(plan, owner, "base").arm,
        use_at(plan, owner, "counterfactual").arm,
        use_at(plan, owner, "sufficiency", index).arm,
        use_at(plan, owner, "necessity", index).arm,
    )


def _shares(
    name: str,
    part: FloatArray,
    effects: PairEffects,
    bootstrap: PairedBootstrap,
    ablation: Ablation,
    direction: str,
    hardly: Notes,
    mean_notes: Notes,
) -> list[Estimate]:
    total, n, notes = effects.total, effects.n, (*_notes(effects), *hardly)
    if not total.any():
        return []
    product, square = (part * total)[None], (total**2)[None]
    share = bootstrap.ratio(product, square)
    p_value = float(t_test(product).p_two_sided[0])
    apart: Notes = ()
    if (share.lower[0] <= 0 <= share.upper[0]) != (p_value > 1 - bootstrap.confidence):
        apart = (Note("apart"),)
    estimates = [
        ablation.estimate(
            name, effects.outcome, "share", n, share.value[0], share.ends(0), p_value,
            direction=direction, notes=(*notes, *_few_pairs(total), *few_misses(product[0], square[0]), *apart),
        )
    ]  # fmt: skip
    # A mean component over a mean length is no ratio of mean changes, which for a vector is made of its parts.
    if not effects.along and total.sum() != 0:
        means = bootstrap.ratio(part[None], total[None])
        unclear = float(t_test(total[None]).p_two_sided[0]) > 1 - bootstrap.confidence
        warning = (UNCLEAR,) if unclear else ()
        estimates.append(
            ablation.estimate(
                f"{name}_ratio_of_means", effects.outcome, "share", n, means.value[0],
                means.ends(0), float(t_test(part[None]).p_two_sided[0]),
                direction=direction, notes=(*notes, *mean_notes, *warning),
            )
        )  # fmt: skip
    floor = RATIO_FLOOR * float(np.sqrt(np.mean(total**2)))
    large = np.abs(total) >= floor
    if large.sum() >= 2:
        ratios = np.where(large, divide_or_zero(part, total), 0.0)
        mean = bootstrap.percentiles(ratios[None], large[None].astype(np.float64))
        low, median, high = np.quantile(ratios[large], (0.25, 0.5, 0.75))
        spread = Note("ratios", (int(large.sum()), floor, RATIO_FLOOR, float(low), float(median), float(high)))
        estimates.append(
            ablation.estimate(
                f"{name}_mean_of_ratios", effects.outcome, "share", int(large.sum()), mean.value[0],
                mean.ends(0), float(t_test(ratios[large][None]).p_two_sided[0]),
                direction=direction, notes=(*notes, spread),
            )
        )  # fmt: skip
    return estimates


def _notes(effects: PairEffects) -> Notes:
    return (*effects.along, *dropped(effects.dropped))


def _few_pairs(total: FloatArray) -> Notes:
    """That few pairs carry the total effect's square, by how many equal ones would weigh as much; or nothing."""
    square = total**2
    alike = float(square.sum() ** 2 / (square**2).sum())
    if alike >= min(_FEW_ALIKE, len(total) / 2):
        return ()
    return (Note("few_pairs", (alike,)),)


def few_misses(product: FloatArray, square: FloatArray) -> Notes:
    """That few pairs hold what a share's interval is made of, by how many alike would weigh as much; or nothing.

    Where a twentieth of 48 pairs fail and the others do not, an interval of 95 % holds the true share in 68 % of draws,
    since draws have too few of the failing pairs: no resample of the others knows of more.

    Parameters
    ----------
    product, square : float array, shape (n,)
        Of which the share is sum / sum.
    """
    whole = float(square.sum())
    if whole <= 0:
        return ()
    rest = (product - float(product.sum()) / whole * square) ** 2
    if math.sqrt(float(rest.sum())) < _SEEN_ERROR * whole:
        return ()
    alike = float(rest.sum()) ** 2 / float((rest**2).sum())
    return (Note("few_misses", (alike,)),) if alike < _FEW_MISSES else ()
