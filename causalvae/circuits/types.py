"""A claim's verdict, and everything that was found about its circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from causalvae.effects.notes import Note, Notes
from causalvae.models.components import ComponentRef, EdgeRef
from causalvae.plan.types import NoRivals, RivalKind
from causalvae.selection import FoundLatents

Place = Literal["inside", "outside", "across"]
Status = Literal["supported", "refuted", "unspecific", "inconclusive"]
STATUSES: tuple[Status, ...] = ("supported", "refuted", "unspecific", "inconclusive")
Measure = Literal["sufficiency", "necessity"]
Needed = Literal["needed", "useless", "undecided"]
# Edges are members of discovered circuits only.
Part = ComponentRef | EdgeRef
Circuit = tuple[Part, ...]
# From this share of failing pairs on, what a circuit carries is said to be so on average.
_COMMON = 0.25


@dataclass(frozen=True)
class ClaimTest:
    """One expectation of a hypothesis.

    Parameters
    ----------
    name : str
        mediated_share, pairwise_fit, necessity, off_target or total_effect.
    at_least, at_most : float or None
        The bound that it is tested against.
    value, lower, upper : float or None
        Estimate and paired bootstrap interval.
    p_support : float
        p-value against the claim being false: small means the bound is met.
    p_refute : float
        p-value against the claim being true: small means the bound is broken.
    n : int
        Pairs.
    needed : int or None
        Pairs that would probably decide, where neither p-value is small.
    notes : tuple of Note
    unit : str
        Of the estimate and the bound.
    confidence : float
        Of the interval.
    place : {"inside", "outside", "across"}
        Whether the whole interval meets the bound, breaks it, or neither.
    undefined : Note or None
        Why the ratio means nothing, where it does.
    is_upper_implied : bool
        Whether the claim gives no upper end and `at_most` follows from the lower one.
    is_one_sided : bool
        Whether each end of the interval is a limit that holds at `confidence` alone.
    """

    name: str
    at_least: float | None
    at_most: float | None
    value: float
    lower: float | None
    upper: float | None
    p_support: float
    p_refute: float
    n: int
    needed: int | None = None
    notes: Notes = ()
    unit: str = "share"
    confidence: float = 0.95
    place: Place = "across"
    undefined: Note | None = None
    is_upper_implied: bool = False
    is_one_sided: bool = False

    @property
    def overshoots(self) -> bool:
        """Whether the estimate is above both its upper bound and the whole effect."""
        return self.at_most is not None and self.value > max(self.at_most, 1.0)


@dataclass(frozen=True)
class RelativeError:
    """How far a circuit is from carrying the effect, pair by pair, as a share of the effect.

    Parameters
    ----------
    measure : {"sufficiency", "necessity"}
        D = sqrt(sum (TE - NIE)^2 / sum TE^2) of the circuit alone; or D = sqrt(sum NDE^2 / sum TE^2), what remains when
        everything but the circuit carries the change.
    value, lower, upper : float
        Estimate and paired bootstrap interval at `confidence`.
    confidence : float
    n : int
        Pairs.
    """

    measure: Measure
    value: float
    lower: float
    upper: float
    confidence: float
    n: int


@dataclass(frozen=True)
class FailingPair:
    """A pair in which a circuit alone does not bring the effect.

    Parameters
    ----------
    pair : int
        Its place among the treatment's pairs, from 0.
    total, indirect : float
        TE and NIE, in the outcome's own unit; of several numbers their components along the total change.
    distance : float
        |TE - NIE|, of several numbers ||TE - NIE||.
    """

    pair: int
    total: float
    indirect: float
    distance: float


@dataclass(frozen=True)
class Failing:
    """In how many pairs |TE - NIE| is larger than `missed` times max(|TE|, `floor`).

    Parameters
    ----------
    share : float
        t, the claimed share.
    missed : float
        1 - t / 2.
    floor : float
        A quarter of the root mean square of TE.
    count, n : int
        Pairs that fail, and all pairs.
    upper : float
        One-sided Clopper-Pearson limit of the share of pairs that fail.
    confidence : float
        Of that limit.
    unit : str
        Of TE.
    worst : tuple of FailingPair
        Those that fail by most, the worst first.
    totals, indirects : tuple of float
        TE and NIE of at most 200 pairs, evenly chosen in the order of TE; for pictures.
    """

    share: float
    missed: float
    floor: float
    count: int
    n: int
    upper: float
    confidence: float
    unit: str
    worst: tuple[FailingPair, ...] = ()
    totals: tuple[float, ...] = ()
    indirects: tuple[float, ...] = ()

    @property
    def effect(self) -> float:
        """Root mean square of TE."""
        return 4 * self.floor

    @property
    def is_common(self) -> bool:
        """Whether this many pairs fail that what the circuit carries is true on average alone."""
        return self.count >= _COMMON * self.n


@dataclass(frozen=True)
class CircuitScore:
    """What another circuit does.

    Parameters
    ----------
    circuit : tuple of Part
    error, error_removed : float or None
        Its relative errors for sufficiency and necessity; None where not measured.
    share, necessity : float or None
        Shares of the effect that it carries, and that is lost without it.
    p_value : float or None
        Of its being no worse than the claimed circuit; None of one random circuit among many.
    is_part : bool
        Whether it is a part of the claimed circuit.
    """

    circuit: Circuit
    error: float | None
    error_removed: float | None
    share: float | None
    necessity: float | None
    p_value: float | None
    is_part: bool = False


@dataclass(frozen=True)
class Rivals:
    """The claimed circuit next to other circuits of its size at its sites.

    Parameters
    ----------
    kind : {"every", "same_size", "random", "none"}
        As of `causalvae.plan.types.ClaimDesign`.
    why_none : str
        The same.
    judged : bool
        Whether the verdict asks that all of them are worse; where there are none, nothing is asked.
    margin : float
        A rival is worse if its relative error is larger by more than this.
    count, undefined : int
        Rivals; those whose outcome is undefined on some pairs, which count as doing as well.
    as_well : int
        Rivals that are not worse by more than the margin.
    p_value : float or None
        That all of them are worse: the largest p-value; of random ones (1 + as_well) / (count + 1).
    meets : bool
        Whether one that is not shown to be worse is shown to meet the claim's bounds.
    own : CircuitScore or None
        The claimed circuit on the same pairs.
    best : tuple of CircuitScore
        The rivals that come nearest, the nearest first.
    errors : tuple of float
        The relative error of every rival, of the measure that is claimed first.
    pairs, seed : int
    planted : CircuitScore or None
        A rival of the circuit's size that shares no unit with it, drawn at random: a claim that should not hold.
    planted_meets : bool
        Whether that one is shown to meet the claim's bounds.
    """

    kind: RivalKind
    why_none: NoRivals = ""
    judged: bool = False
    margin: float = 0.0
    count: int = 0
    undefined: int = 0
    as_well: int = 0
    p_value: float | None = None
    meets: bool = False
    own: CircuitScore | None = None
    best: tuple[CircuitScore, ...] = ()
    errors: tuple[float, ...] = ()
    pairs: int = 0
    seed: int = 0
    planted: CircuitScore | None = None
    planted_meets: bool = False


@dataclass(frozen=True)
class MemberLoss:
    """What a circuit loses without one of its members.

    Parameters
    ----------
    member : Part
    loss, lower, upper : float
        How much the relative error grows without it, and its percentile interval; where sufficiency and necessity are
        claimed, of the measure in which it grows more.
    p_needed, p_useless : float
        That the error grows by no more than the margin; that it grows by no less.
    status : {"needed", "useless", "undecided"}
        By these p-values alone.
    """

    member: Part
    loss: float
    lower: float
    upper: float
    p_needed: float
    p_useless: float
    status: Needed


@dataclass(frozen=True)
class Minimality:
    """Whether every member of a circuit is needed.

    Parameters
    ----------
    judged : bool
        Whether the verdict asks for it.
    margin : float
        A member is needed if the relative error grows by more than this without it.
    members : tuple of MemberLoss
    p_minimal : float
        Largest of the members' `p_needed`.
    p_not_minimal : float
        Smallest of their `p_useless`, times their number.
    without_useless : float or None
        How much the relative error grows without all useless members at once; None where that was not run.
    smallest : tuple of tuple of Part
        The smallest parts of the circuit that are within the margin of it; empty where not every part was run.
    confidence : float
    pairs : int
    """

    judged: bool
    margin: float
    members: tuple[MemberLoss, ...]
    p_minimal: float
    p_not_minimal: float
    without_useless: float | None
    smallest: tuple[Circuit, ...]
    confidence: float
    pairs: int

    def of(self, status: Needed) -> tuple[Part, ...]:
        """The members of a status."""
        return tuple(loss.member for loss in self.members if loss.status == status)


@dataclass(frozen=True)
class Manifold:
    """Where a circuit's patched activations lie among clean ones, at one of its sites.

    Parameters
    ----------
    site : str
    outside, n : int
        Pairs whose patched activation has a larger Mahalanobis distance than `within` of held-out clean ones, of n.
    unpatched : float
        The share outside of the clean activations that the patch takes its values from.
    dimension, samples : int
        Numbers of the site's value; clean samples.
    within : float
    is_off : bool
        Whether more than 5 % of the pairs, and more than without a patch, are shown to be outside.
    """

    site: str
    outside: int
    n: int
    unpatched: float
    dimension: int
    samples: int
    within: float
    is_off: bool


@dataclass(frozen=True)
class ShapleyValue:
    """What one unit adds to the share of the effect, averaged over all orders in which units are added.

    Parameters
    ----------
    unit : Part
    value, lower, upper : float
    in_circuit : bool
    """

    unit: Part
    value: float
    lower: float
    upper: float
    in_circuit: bool


@dataclass(frozen=True)
class Certified:
    """A circuit that is shown to meet the claim's bounds while no proper part of it does.

    Parameters
    ----------
    circuit : tuple of Part
    share, error : float
        Of the effect, and its relative error.
    overlap : float
        Units that it shares with the claimed circuit, over units of either (IoU).
    """

    circuit: Circuit
    share: float
    error: float
    overlap: float

    def holds(self, unit: Part) -> bool:
        """Whether a single unit is in it."""
        return any(
            part.site == unit.site and (part.units is None or set(unit.units or ()) <= set(part.units))
            for part in self.circuit
        )


@dataclass(frozen=True)
class Subsets:
    """Every set of the units of the circuit's sites, tested as a circuit, with one confidence for all of them.

    Parameters
    ----------
    judged : bool
        Whether the verdict asks that the claimed circuit is the only minimal one.
    units : int
        Units of the sites.
    count, meeting, undecided : int
        Sets; those that are shown to meet the claim's bounds; those neither shown to meet them nor to break one.
    certified : tuple of Certified
        The circuits that meet the bounds and of which every proper part is shown to break one, the smallest first.
    possible : int
        Undecided sets that hold no certified circuit: each may be, or may hold, another. 0 where the list is complete.
    nearest : CircuitScore or None
        Of the undecided sets that hold no certified circuit, of all sets where there is none, the one whose share lies
        nearest to the bound.
    mean_overlap : float or None
        Mean IoU over pairs of certified circuits; None where there are fewer than two.
    shapley : tuple of ShapleyValue
        Of each unit, the largest first; of the mediated share.
    p_unique, p_not_unique : float
        That the claimed circuit is the only minimal one; that another circuit, which does not hold it, meets the
        bounds. Both by the largest deviation over all sets.
    alpha, confidence : float
        Level over all sets together; of the intervals of Shapley values.
    pairs : int
    """

    judged: bool
    units: int
    count: int
    meeting: int
    undecided: int
    certified: tuple[Certified, ...]
    possible: int
    nearest: CircuitScore | None
    mean_overlap: float | None
    shapley: tuple[ShapleyValue, ...]
    p_unique: float
    p_not_unique: float
    alpha: float
    confidence: float
    pairs: int


@dataclass(frozen=True)
class UnitShare:
    """The share of the effect that one unit carries alone.

    Parameters
    ----------
    unit : Part
    share, lower, upper : float
        sum NIE TE / sum TE^2 and its interval.
    in_circuit : bool
    """

    unit: Part
    share: float
    lower: float
    upper: float
    in_circuit: bool


@dataclass(frozen=True)
class Variant:
    """The share that a circuit carries, by another method of patching it.

    Parameters
    ----------
    source : str
        Where the values come from.
    direction : {"denoising", "noising", "both"}
        The run that is patched: the base, the counterfactual, or both with the same value.
    value : float
    lower, upper : float or None
        Interval over the pairs.
    holds : bool
        Whether it meets the claim's bound.
    """

    source: str
    direction: str
    value: float
    lower: float | None
    upper: float | None
    holds: bool


@dataclass(frozen=True)
class Multiverse:
    """A claim's share under other choices that could as well have been made.

    Parameters
    ----------
    pairs : int
        The first this many of the verdict's.
    confidence : float
        Of the intervals.
    variants : tuple of Variant
    """

    pairs: int
    confidence: float
    variants: tuple[Variant, ...]

    @property
    def holding(self) -> int:
        """Under how many of the methods the claim holds."""
        return sum(variant.holds for variant in self.variants)


@dataclass(frozen=True)
class Verdict:
    """What became of a hypothesis.

    Parameters
    ----------
    hypothesis, claim, treatment, outcome : str
        As declared.
    circuit : tuple of Part
        Resolved.
    status : {"supported", "refuted", "unspecific", "inconclusive"}
        Refuted: a bound or a claimed property is shown to be false. Supported: all of them are shown to be true.
        Unspecific: the bounds are shown to be met, but another circuit is shown to meet them and not shown to be worse.
        The first that holds, in this order; else inconclusive.
    tests : tuple of ClaimTest
    p_support, p_refute, p_bounds : float
        That everything claimed is true; that something is false; that the bounds are met. Holm-adjusted across the
        spec's hypotheses.
    alpha : float
    needed : int or None
        Pairs that would probably settle an inconclusive verdict.
    errors : tuple of RelativeError
        Of the circuit; none where the treatment changes nothing.
    rivals : Rivals or None
        None where no share is claimed.
    minimality : Minimality or None
        None where the circuit has one member, or no share is claimed.
    cancelling : tuple of UnitShare
        Units of the circuit's sites that carry a negative share alone, the strongest first.
    multiverse : Multiverse or None
        Whether the claim depends on how the circuit was patched; None where that was not asked, or no share is claimed.
    broken : str
        What refutes it: the name of a test, ``minimal`` or ``unique``; else empty.
    obstacle : Note or None
        What stands between an inconclusive verdict and a settled one.
    failing : Failing or None
        The pairs in which the circuit fails; None where it is not claimed to carry a share.
    subsets : Subsets or None
        All sets of the units of its sites; None where they were not run.
    manifolds : tuple of Manifold
        Where patched activations lie, for each site that is small enough to tell.
    selections : tuple of FoundLatents
        How the circuit's latents were chosen, where the spec leaves that to the run.
    judges_special, judges_minimal, judges_unique : bool
        Whether the claim says that no other circuit of the same size does as well, that every member is needed, and
        that no other circuit at its sites is sufficient.
    """

    hypothesis: str
    claim: str
    treatment: str
    circuit: Circuit
    outcome: str
    status: Status
    tests: tuple[ClaimTest, ...]
    p_support: float
    p_refute: float
    alpha: float
    p_bounds: float = 1.0
    needed: int | None = None
    errors: tuple[RelativeError, ...] = ()
    rivals: Rivals | None = None
    minimality: Minimality | None = None
    cancelling: tuple[UnitShare, ...] = ()
    multiverse: Multiverse | None = None
    broken: str = ""
    obstacle: Note | None = None
    failing: Failing | None = None
    selections: tuple[FoundLatents, ...] = ()
    subsets: Subsets | None = None
    manifolds: tuple[Manifold, ...] = ()
    judges_special: bool = False
    judges_minimal: bool = False
    judges_unique: bool = False

    def __repr__(self) -> str:
        return f"Verdict({self.hypothesis!r}: {self.status})"

    @property
    def words(self) -> str:
        """The claim in the user's words; the hypothesis' name if the spec describes no claim."""
        return " ".join(self.claim.split()).rstrip(".") or self.hypothesis
