"""Level 4: the effect of a treatment is split at mediators or along paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.intervention_section import InterventionLevel
from causalvae.spec.markers import Choice, Named
from causalvae.spec.section import (
    ComponentRef,
    Fraction,
    Index,
    ModestCount,
    Name,
    Number,
    PairCount,
    Section,
    exactly_one,
    given,
)
from causalvae.spec.value_source import VALUES

if TYPE_CHECKING:
    from causalvae.effects.context import EffectContext
    from causalvae.effects.cross_checks import CrossChecks
    from causalvae.effects.types import Estimate
    from causalvae.plan.draft import Draft as PlanDraft
    from causalvae.plan.owner import Owner
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.results import Results
    from causalvae.spec.draft import Draft

Stage = Annotated[tuple[ComponentRef, ...], Field(min_length=1)]
RouteEdge = Annotated[str, Field(max_length=1100, pattern=r"^\s*[^\s>][^>]*->\s*[^\s>][^>]*$")]
_WAYS = ("mediators", "path", "edges")
_OF_MEDIATORS = ("control", "subspace")
PositiveNumber = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class HeldValue(Section):
    """The value at which mediators are held: a quantile of their values over observed samples, or a number."""

    model_config = ConfigDict(json_schema_extra=exactly_one(("quantile", "value")))

    quantile: Fraction | None = None
    value: Number | None = Field(default=None, description="The same number for every unit.")

    @model_validator(mode="after")
    def _exactly_one(self) -> HeldValue:
        if (self.quantile is None) == (self.value is None):
            raise PydanticCustomError(
                "apart",
                "mediators are held at one value: a quantile of theirs, or a number",
                {"advice": "Write `control: {quantile: 0.5}` or `control: {value: 0.0}`; or mean, or zero."},
            )
        return self

    @property
    def choice(self) -> Choice:
        """The kind and its number."""
        return Choice("constant", self.value) if self.quantile is None else Choice("quantile", self.quantile)


class SubspaceSection(Section):
    """Directions among the mediators' units that are learned by interchanges: distributed alignment search."""

    dim: ModestCount = Field(
        default=1, description="Number of directions; fewer than the number of units of the mediators."
    )
    objective: Name = Field(
        default="image",
        description=(
            "The outcome that interchanges should change to its counterfactual value; it must be differentiable: the "
            "image, or an attribute."
        ),
    )
    learned_on: PairCount = Field(
        default=256, description="Pairs that the directions are learned on; they are used for nothing else. At least 2."
    )
    steps: ModestCount = Field(default=200, description="Steps of each search, on 64 pairs at a time.")
    restarts: Index = Field(
        default=1,
        description="Searches from random directions, in addition to one from the principal directions of change.",
    )
    tolerance: PositiveNumber = Field(
        default=0.1,
        description=(
            "An interchange counts as right if the outcome differs from its counterfactual value by at most this "
            "number of standard deviations of the outcome."
        ),
    )


class MediationIntervention(InterventionLevel):
    """Level 4: split the effect of a treatment at a set of mediators, or at a path through the network."""

    model_config = ConfigDict(
        json_schema_extra={
            **exactly_one(_WAYS),
            "dependentSchemas": {
                key: {"anyOf": [{"properties": {key: {"type": "null"}}}, given("mediators")]} for key in _OF_MEDIATORS
            },
        }
    )
    kind: ClassVar[str] = "mediation"
    order: ClassVar[int] = 4
    is_refuted: ClassVar[bool] = True

    treatment: Name = Field(description="An input intervention.")
    mediators: tuple[ComponentRef, ...] | None = Field(default=None, min_length=1)
    path: tuple[ComponentRef | Stage, ...] | None = Field(
        default=None,
        min_length=1,
        description=(
            "Components through which a change is sent, one after the other, and through nothing else: each receives "
            "only the change of the one before. A list within the list is a set that is passed together."
        ),
    )
    edges: tuple[RouteEdge, ...] | None = Field(
        default=None,
        min_length=1,
        description=(
            "The edges along which a change is sent, as A -> B, where A may be input and B output: a path that "
            "branches and merges."
        ),
    )
    outcomes: tuple[Name, ...] = Field(
        min_length=1, description="Attributes, vectors of them as declared in `graph.vectors`, or image."
    )
    control: HeldValue | Annotated[str, Named(VALUES, lambda kind: "control" in kind.keys)] | None = Field(
        default=None,
        union_mode="left_to_right",
        description=(
            "Also estimate the controlled direct effect, with the mediators held at this value for both inputs: mean, "
            "their mean over the base inputs; zero; {quantile: Q} of their values over observed samples; {value: V}."
        ),
    )
    pairs: PairCount | None = Field(default=None, description="Use only this many pairs; at least 2.")
    subspace: SubspaceSection | None = Field(
        default=None,
        description=(
            "Patch through learned directions of the mediators; for comparison also through all of the mediators, the "
            "other directions, and the same number of random directions."
        ),
    )

    @property
    def held(self) -> Choice | None:
        """What mediators are held at; None where they are not."""
        if isinstance(self.control, HeldValue):
            return self.control.choice
        return None if self.control is None else Choice(self.control)

    @model_validator(mode="after")
    def _exactly_one(self) -> MediationIntervention:
        chosen = [name for name in _WAYS if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise PydanticCustomError(
                "one_of",
                "give exactly one of {choices}",
                {"given": " and ".join(chosen) or "none", "choices": ", ".join(_WAYS)},
            )
        for key in _OF_MEDIATORS:
            if getattr(self, key) is not None and self.mediators is None:
                raise PydanticCustomError(
                    "apart",
                    "{key} is of mediators, and along a path or edges there are none",
                    {"key": key, "advice": f"Delete `{key}`, or write `mediators`."},
                )
        return self

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What mediators are held at."""
        return () if self.held is None else (self.held,)

    @property
    def pictured_outcome(self) -> str:
        """The first one."""
        return self.outcomes[0]

    @property
    def is_routed(self) -> bool:
        """Whether a change is sent along a path or edges."""
        return self.mediators is None

    def references(self) -> Iterator[tuple[Path, str]]:
        """The mediators, or the components of the path or the edges."""
        from causalvae.interventions.mediation.route import references

        return references(self)

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """What is wrong with the treatment, the outcomes, the route and the subspace."""
        from causalvae.interventions.mediation.checks import check_mediation

        return check_mediation(draft, self, path)

    def plan(self, draft: PlanDraft, owner: Owner) -> None:
        """The arms of both directions, through the mediators together and each alone, or along the route."""
        from causalvae.interventions.mediation.plan import plan_mediation

        plan_mediation(draft, owner, self)

    def estimate(self, context: EffectContext, owner: Owner, checks: CrossChecks) -> list[Estimate]:
        """Total, direct and indirect effects on each outcome, with their cross-checks."""
        from causalvae.interventions.mediation.estimate import estimate_mediation

        return estimate_mediation(context, owner, self, checks)

    @staticmethod
    def view(results: Results) -> AnalysisView:
        """A section on the mediations of a run."""
        from causalvae.interventions.mediation.view import view_mediations

        return view_mediations(results)
