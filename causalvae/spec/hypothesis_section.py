"""The spec's hypotheses: what is claimed of a circuit, within which bounds, and what it is compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.section import ComponentRef, Flag, Level, Name, NullPairCount, Number, RandomCount, Section

# A claim needs this many pairs: fewer leave a test of a share neither its level nor its power.
FEWEST_PAIRS = 24
# More random circuits than this are refused: each is one more intervention.
MOST_RANDOM = 5000
# Of at most this many units every set can be run, and is run unasked.
MOST_ENUMERATED = 12
FEW_ENUMERATED = 6
# Every circuit of a size is run where there are no more: every pair of 64 units, and each of them, are 2,080.
MOST_SETS = 2100
# Resamples of a comparison with other circuits, and how often each pair is in each of them, held at once.
_MOST_RESAMPLES = 200_000
_MOST_COUNTS = 40_000_000
# From this share on a sufficiency claim says that the circuit is special, unless the claim says otherwise.
_SPECIAL_FROM = 0.5
# How far a share may lie above 1 where the claim gives no upper bound.
_OVERSHOOT = 0.3
# Of the claimed share, what the fit pair by pair must reach.
_FIT = 0.7
# The share that pairs are held against where no share of at least so much is claimed.
_PAIR_SHARE = 0.7


class Bound(Section):
    """A bound on a quantity: at least, at most, or both."""

    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _some(self) -> Bound:
        if self.at_least is None and self.at_most is None:
            raise PydanticCustomError("no_bound", "give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise PydanticCustomError("crossed_bound", "at_least is above at_most")
        return self


class _Expectations(Section):
    """What a hypothesis predicts: bounds on quantities, and properties of the circuit.

    special: no other circuit of the same size does as well. True by default where mediated_share has an at_least of 0.5
    or more and no at_most below 1.
    minimal: every member of the circuit is needed. Reported in any case; part of the claim only where it is true.
    unique: no other circuit at its sites is sufficient, but for those that hold this one. Every set of the sites' units
    is run.
    """

    special: Flag | None = None
    minimal: Flag | None = None
    unique: Flag | None = None

    @property
    def bounds(self) -> dict[str, Bound]:
        """The bounds that are given, by quantity."""
        found = {name: getattr(self, name) for name in QUANTITIES.names}
        return {name: bound for name, bound in found.items() if bound is not None}

    def bound(self, quantity: str) -> Bound | None:
        """The bound on a quantity; None where none is given."""
        return self.bounds.get(quantity)

    @model_validator(mode="after")
    def _some(self) -> _Expectations:
        bounds = self.bounds
        for key, needed in (("special", _SHARES[:1]), ("minimal", _SHARES), ("unique", _SHARES[:1])):
            if getattr(self, key) and bounds.keys().isdisjoint(needed):
                raise PydanticCustomError("unsupported_property", "{key} needs a share", {"key": key})
        if not bounds:
            raise PydanticCustomError("no_expectation", "give at least one expectation")
        return self

    @model_serializer(mode="wrap")
    def _without_foreign(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is installed must not change a spec's digest.
        given: dict[str, Any] = dump(self)
        return {key: value for key, value in given.items() if value is not None or key not in _LATER}


_SHARES: Final = ("mediated_share", "necessity")
# Properties and quantities that specs were stored without.
_FIRST: Final = frozenset({"mediated_share", "necessity", "off_target", "total_effect"})
_LATER: Final = (frozenset(QUANTITIES.names) | {"unique"}) - _FIRST

if TYPE_CHECKING:
    Expectations = _Expectations
else:
    # A field for each quantity, by name alone: a kind is imported where a spec names it.
    Expectations = create_model(
        "Expectations",
        __base__=_Expectations,
        __module__=__name__,
        __doc__=_Expectations.__doc__,
        **dict.fromkeys(QUANTITIES.names, (Bound | None, None)),
    )


class NullSection(Section):
    """What a circuit is compared with: other circuits of its size at its sites."""

    circuits: Literal["auto", "random", "none"] = Field(
        default="auto",
        description="auto: every other circuit of the same size if these can all be run, otherwise random ones; "
        "random: `samples` random ones, or all if there are fewer; none: no comparison.",
    )
    samples: RandomCount = Field(
        default=200, description="Number of random circuits; raised if the level of the tests needs more."
    )
    pairs: NullPairCount = Field(
        default=96, description="Pairs that each of these circuits, and the claimed one, is run on; at least 24."
    )


class SubsetsSection(Section):
    """Every set of the units of the circuit's sites, each run as a circuit."""

    pairs: NullPairCount = Field(
        default=384,
        description="Pairs that each set is run on; a complete list of circuits takes about 384, and no share may be "
        "within 0.15 of the bound.",
    )


class Hypothesis(Section):
    """A claim: a treatment reaches an outcome through a circuit, within bounds."""

    name: Name
    claim: str = Field(default="", description="The claim in words, for the report.")
    treatment: Name = Field(description="An input intervention.")
    circuit: tuple[ComponentRef, ...] = Field(min_length=1)
    outcome: Name = Field(description="An attribute, a vector of `graph.vectors`, or image.")
    expect: Expectations
    null: NullSection = NullSection()
    subsets: SubsetsSection | None = Field(
        default=None,
        description="Run every set of the units of the circuit's sites, up to 12 units, and list the circuits that "
        "are shown to be sufficient and minimal; by default if the claim is unique, or if there are at most 6 units.",
    )
    alpha: Level = Field(default=0.05, description="Level of the tests.")
    multiverse: Flag = Field(
        default=True,
        description="Estimate the claimed share with other methods of patching as well, on fewer pairs, and report "
        "under how many of them the claim holds.",
    )

    @property
    def mapped(self) -> tuple[str, ...]:
        """The nodes that its circuit names by the mapping, as `$NAME`."""
        return tuple(text[1:] for text in self.circuit if text.startswith("$"))

    @property
    def claims_a_share(self) -> bool:
        """Whether it bounds what the circuit carries, by one of its two measures."""
        return self.expect.bound("mediated_share") is not None or self.expect.bound("necessity") is not None

    @property
    def claims_to_carry(self) -> bool:
        """Whether it claims that the circuit carries at least some share, by one of its two measures."""
        bounds = (self.expect.bound("mediated_share"), self.expect.bound("necessity"))
        return any(bound is not None and bound.at_least is not None for bound in bounds)

    @property
    def compares(self) -> bool:
        """Whether other circuits are run other than the claimed one."""
        return self.null.circuits != "none" and self.claims_a_share

    @property
    def judges_special(self) -> bool:
        """Whether the verdict asks that no other circuit of the same size does as well."""
        share = self.expect.bound("mediated_share")
        if not self.compares or share is None:
            return False
        if self.expect.special is not None:
            return self.expect.special
        full = share.at_most is None or share.at_most >= 1
        return full and share.at_least is not None and share.at_least >= _SPECIAL_FROM

    @property
    def judges_minimal(self) -> bool:
        """Whether the verdict asks that every member of the circuit is needed."""
        return bool(self.expect.minimal)

    @property
    def judges_unique(self) -> bool:
        """Whether the verdict asks that no other circuit at its sites is sufficient."""
        return bool(self.expect.unique)

    @property
    def asks_for_subsets(self) -> bool:
        """Whether every set of the sites' units is to be run, however many."""
        return self.judges_unique or self.subsets is not None

    @property
    def claims_sufficient(self) -> bool:
        """Whether a share of at least t in (0, 1) is claimed, so that the empty set is no such circuit."""
        share = self.expect.bound("mediated_share")
        return share is not None and share.at_least is not None and 0 < share.at_least < 1

    @model_serializer(mode="wrap")
    def _without_subsets(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A hypothesis that says nothing of subsets is the one that it was before they could be asked for.
        given: dict[str, Any] = dump(self)
        if given.get("subsets") is None:
            given.pop("subsets", None)
        return given

    @property
    def share_bound(self) -> Bound | None:
        """The bound on the mediated share, its upper end filled in where the claim gives none.

        With t = at_least in (0, 1) the upper end is 1 + min(1 - t, 0.3): a circuit that carries more than the whole
        effect, which others cancel, does not carry the effect.
        """
        share = self.expect.bound("mediated_share")
        if share is None or share.at_most is not None or share.at_least is None:
            return share
        return Bound(
            at_least=share.at_least, at_most=max(1.0, share.at_least) + min(max(1 - share.at_least, 0.0), _OVERSHOOT)
        )

    @property
    def equivalence_bound(self) -> Bound | None:
        """The bound on the difference from the full model: within the claimed margin on both sides of zero."""
        margin = self.expect.bound("equivalent")
        if margin is None or margin.at_most is None:
            return None
        return Bound(at_least=-margin.at_most, at_most=margin.at_most)

    @property
    def pair_share(self) -> float:
        """The share that each pair is held against where pairs that fail are counted: the claimed one, at most 1."""
        share = self.expect.bound("mediated_share")
        if share is None or share.at_least is None or share.at_least <= 0:
            return _PAIR_SHARE
        return min(share.at_least, 1.0)

    @property
    def counts_failing(self) -> bool:
        """Whether pairs that fail are reported: where a share of at least so much, or their number, is claimed."""
        share = self.expect.bound("mediated_share")
        claims_a_share = share is not None and share.at_least is not None and share.at_least > 0
        return claims_a_share or any(self.expect.bound(name) is not None for name in ("failing", "equivalent"))

    @property
    def fit_bound(self) -> Bound | None:
        """The bound on the pairwise fit A = 1 - D^2 that a sufficiency claim implies: A of at least 0.7 at_least.

        None where no share of at least t in (0, 1) is claimed, or where `at_most` lies beyond 1 + sqrt(1 - 0.7 t): the
        claim then allows shares that no circuit with such a fit has.
        """
        share = self.share_bound
        if share is None or share.at_least is None or not 0 < share.at_least < 1:
            return None
        least = _FIT * share.at_least
        beyond = share.at_most is not None and share.at_most > 1 + math.sqrt(1 - least)
        return None if beyond else Bound(at_least=least)


def fewest_random(hypotheses: Sequence[object], alpha: float) -> int:
    """Random circuits that a hypothesis at level `alpha` needs: m / alpha - 1 of m hypotheses.

    The least p-value of N circuits is 1 / (N + 1), and Holm's correction multiplies it by m at worst. The slack is for
    levels such as 0.05 in binary.
    """
    return max(1, math.ceil(len(hypotheses) / alpha * (1 - 1e-9)) - 1)


def pairs_without_failure(rate: float, alpha: float, family: int = 1) -> int:
    """Pairs without a failure that show a rate of at most `rate`: ln(alpha / family) / ln(1 - rate), rounded up.

    With `family` hypotheses Holm's correction tests the smallest p-value at alpha / family.

    Examples
    --------
    >>> pairs_without_failure(0.1, 0.05), pairs_without_failure(0.05, 0.05), pairs_without_failure(0.05, 0.05, 10)
    (29, 59, 104)
    """
    return max(1, math.ceil(math.log(alpha / family) / math.log1p(-rate) * (1 - 1e-9)))


def most_resamples(pairs: int) -> int:
    """Resamples of a comparison with other circuits on this many pairs: no p-value is below one over their number."""
    return min(_MOST_RESAMPLES, _MOST_COUNTS // pairs)
