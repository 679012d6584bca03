"""Level 1: a factor of the input is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.intervention_section import InputLevel
from causalvae.spec.section import Name, Number, Section

if TYPE_CHECKING:
    from causalvae.data.factors import FactorSpace
    from causalvae.effects.context import EffectContext
    from causalvae.effects.cross_checks import CrossChecks
    from causalvae.effects.types import Estimate
    from causalvae.plan.owner import Owner
    from causalvae.plan.types import Treatment
    from causalvae.spec.draft import Draft


class SetTo(Section):
    """Set a factor to one value: a physical value, or the label of a categorical level.

    With `from` the base inputs are set too, to that value: a declared contrast, whose effects have a sign.
    """

    to: Number | str
    start: Number | str | None = Field(
        default=None, alias="from", description="The value to which the base inputs are set."
    )


class ReleaseSection(Section):
    """Let some of the set factor's descendants follow it, and hold all others."""

    release: Name | Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="A variable of the data, or a list of them."
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that follow."""
        return (self.release,) if isinstance(self.release, str) else self.release


class InputIntervention(InputLevel):
    """Level 1: change a factor of the input."""

    kind: ClassVar[str] = "input"
    order: ClassVar[int] = 1

    factor: Name | None = Field(default=None, description="The factor that is set; omitted with `set: swap`.")
    set: Literal["resample", "swap"] | SetTo = Field(
        default="resample",
        description=(
            "resample draws another level for each pair; {to: VALUE} sets one level; {from: VALUE, to: VALUE} sets "
            "the base inputs as well, so that the effect is that of a declared contrast; swap replaces each sample "
            "with another, which needs no factors."
        ),
    )
    others: Literal["hold", "propagate"] | ReleaseSection = Field(
        default="hold",
        description=(
            "What happens to the factor's descendants in the data's structural model: hold keeps them, propagate "
            "computes them again, {release: b} computes b alone again, which shows the direct effect on b."
        ),
    )
    contrast: Literal["increase", "as_drawn"] | None = Field(
        default=None,
        description=(
            "increase orders each pair so that the factor rises from base to counterfactual (the default for an "
            "ordinal or continuous factor that is resampled); as_drawn keeps the order of drawing (the default "
            "otherwise)."
        ),
    )

    @model_validator(mode="after")
    def _factor_or_swap(self) -> InputIntervention:
        if self.set == "swap" and (self.factor is not None or self.contrast == "increase"):
            raise PydanticCustomError(
                "apart",
                "`set: swap` swaps whole samples: it has no factor and no order",
                {"advice": "Delete `factor` and `contrast`, or write `set: resample` or `set: {to: VALUE}`."},
            )
        if self.set != "swap" and self.factor is None:
            raise PydanticCustomError(
                "apart",
                "an input intervention sets a factor, and none is named",
                {"advice": "Name the `factor` to set, or write `set: swap` to swap whole samples."},
            )
        return self

    @property
    def treated_factor(self) -> str | None:
        """The factor that is set; None where whole samples are swapped."""
        return self.factor

    @property
    def swaps(self) -> bool:
        """Whether the input is replaced by that of another sample."""
        return self.set == "swap"

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """What is wrong with the factor and with what it is set to."""
        from causalvae.interventions.input.checks import check_input

        return check_input(draft, self, path)

    def treatment(self, name: str, space: FactorSpace) -> Treatment:
        """What it does to the inputs."""
        from causalvae.interventions.input.plan import treatment_of

        return treatment_of(name, self, space)

    def estimate(self, context: EffectContext, owner: Owner, checks: CrossChecks) -> list[Estimate]:
        """Total effect and effect size on every attribute and on the output."""
        from causalvae.interventions.input.estimate import estimate_input

        return estimate_input(context, owner)
