"""Level 3: activations are patched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.intervention_section import InterventionLevel, references_below
from causalvae.spec.markers import Choice, Short
from causalvae.spec.section import ComponentRef, Level, ModestCount, Name, PairCount, Section
from causalvae.spec.value_source import VALUES, ValueSource

if TYPE_CHECKING:
    from causalvae.effects.context import EffectContext
    from causalvae.effects.cross_checks import CrossChecks
    from causalvae.effects.metric_rows import MetricFacts
    from causalvae.effects.metrics import Metrics
    from causalvae.effects.types import Estimate
    from causalvae.plan.draft import Draft as PlanDraft
    from causalvae.plan.owner import Owner
    from causalvae.spec.draft import Draft

# The keys of a mode that specs were stored with, given or not.
_STORED_MODES: Final = ("noise", "resample")


class ScreenSection(Section):
    """First-order screening: rank all components of a sweep by gradients, and run only the best of them exactly."""

    keep: Level = Field(default=0.1, description="Share of the components, best first, that is run exactly.")
    method: Literal["attribution", "integrated_gradients"] = Field(
        default="attribution",
        description=(
            "attribution: the gradient at the clean input; integrated_gradients: its mean along the straight line "
            "to the input that gives the values."
        ),
    )
    steps: ModestCount | None = Field(
        default=None, description="Number of points of that line, for integrated_gradients; by default 8."
    )
    check: ModestCount = Field(
        default=64,
        description="Components drawn at random from those not kept and run exactly, to measure the screen's recall.",
    )
    outcome: Name = Field(
        default="image", description="The outcome whose effects rank the components: an attribute, or the image."
    )


class ActivationIntervention(InterventionLevel):
    """Level 3: patch activations."""

    kind: ClassVar[str] = "activation"
    order: ClassVar[int] = 3

    components: ComponentRef | tuple[ComponentRef, ...]
    by: Literal["unit", "channel", "layer", "set"] = Field(
        default="channel", description="What is patched together in one run."
    )
    source: Name = Field(alias="from", description="The input intervention whose counterfactual gives the values.")
    mode: Annotated[Choice, Short(VALUES, lambda kind: "mode" in kind.keys)] = Field(
        default="interchange",
        validate_default=True,
        description=(
            "Where the patched value comes from: the other side of the pair; the mean; another pair; zero; its own "
            "value with noise of one standard deviation; its own value plus the mean difference of the sides; the "
            "constant that changes the output least. The last two are fitted on separate pairs."
        ),
    )
    direction: Literal["denoising", "noising", "both"] = Field(
        default="denoising",
        description="denoising patches the base run with counterfactual values; noising patches the counterfactual "
        "run with base values.",
    )
    pairs: PairCount | None = Field(default=None, description="Use only this many pairs; at least 2.")
    screen: ScreenSection | None = Field(
        default=None,
        description="Run exactly only the components that rank best to first order; by default all are run.",
    )

    @property
    def value_kind(self) -> type[ValueSource]:
        """The kind that the mode names."""
        return VALUES.get(self.mode.name)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The kind and settings of the mode."""
        return (self.mode,)

    @property
    def record(self) -> dict[str, Any]:
        """Its plain values."""
        content = super().record
        if isinstance(content["mode"], dict):
            content["mode"] = dict.fromkeys(_STORED_MODES) | content["mode"]
        return content

    def references(self) -> Iterator[tuple[Path, str]]:
        """The components."""
        yield from references_below(("components",), self.components)

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """What is wrong with the treatment, the mode and the screen."""
        from causalvae.interventions.activation.checks import check_screen
        from causalvae.spec.treatment_checks import check_treatment

        return [
            *check_treatment(draft, self.source, (*path, "from")),
            *self.value_kind.findings(draft, self.mode.settings, (*path, "mode", self.mode.name)),
            *check_screen(draft, self, path),
        ]

    def plan(self, draft: PlanDraft, owner: Owner) -> None:
        """An arm for each component and direction."""
        from causalvae.interventions.activation.plan import plan_sweep

        plan_sweep(draft, owner, self)

    def estimate(self, context: EffectContext, owner: Owner, checks: CrossChecks) -> list[Estimate]:
        """Effect sizes of each component that was run, in each direction."""
        from causalvae.interventions.activation.estimate import estimate_sweep

        return estimate_sweep(context, owner, self)

    def metrics(
        self, context: EffectContext, owner: Owner, copy: EffectContext | None, oracle: MetricFacts | None
    ) -> Metrics | None:
        """Kinds of the components, and the share of polysemantic ones."""
        from causalvae.interventions.activation.estimate import measure_sweep

        return measure_sweep(context, owner, self)
