"""The spec's hypotheses: what is claimed of a circuit, within which bounds, and what it is held against."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.section import ComponentRef, Flag, Level, ModestCount, Name, NullPairCount, Number, Section


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


class Expectations(Section):
    """What a hypothesis predicts.

    mediated_share: <NIE, TE> / <TE, TE> over pairs; what the circuit alone carries (sufficiency).
    necessity: <TIE, TE> / <TE, TE> over pairs; what is lost when the circuit alone is held.
    off_target: share of the circuit's squared standardised effect that falls on attributes that the treatment's factor
    does not reach in the declared graph; in [0, 1].
    total_effect: mean total effect in standard deviations of the outcome.
    """

    mediated_share: Bound | None = None
    necessity: Bound | None = None
    off_target: Bound | None = None
    total_effect: Bound | None = None

    @model_validator(mode="after")
    def _some(self) -> Expectations:
        if all(value is None for value in (self.mediated_share, self.necessity, self.off_target, self.total_effect)):
            raise PydanticCustomError("no_expectation", "give at least one expectation")
        return self


class NullSection(Section):
    """The null circuits that a hypothesis is held against."""

    circuits: Literal["random", "none"] = Field(default="random", description="How null circuits are made.")
    samples: ModestCount = Field(default=200, description="Number of null circuits.")
    pairs: NullPairCount = Field(
        default=96, description="Pairs that each null circuit, and the observed one, is run on; at least 8."
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
    alpha: Level = Field(default=0.05, description="Level of the tests.")
    multiverse: Flag = Field(
        default=True,
        description="Estimate the claimed share in other ways of patching as well, on fewer pairs, and report in how "
        "many of them the conclusion holds.",
    )

    @property
    def claims_a_share(self) -> bool:
        """Whether it bounds what the circuit carries, by one of its two measures."""
        return self.expect.mediated_share is not None or self.expect.necessity is not None

    @property
    def claims_to_carry(self) -> bool:
        """Whether it claims that the circuit carries at least some share: only then are random circuits a rival."""
        share = self.expect.mediated_share
        return share is not None and share.at_least is not None

    @property
    def has_nulls(self) -> bool:
        """Whether it is held against random circuits."""
        return self.null.circuits == "random" and self.claims_to_carry
