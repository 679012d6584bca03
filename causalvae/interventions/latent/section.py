"""Level 2: latents are set to values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.diagnostics import Path
from causalvae.spec.intervention_section import InterventionLevel, references_below
from causalvae.spec.markers import Choice, Named
from causalvae.spec.section import ComponentRef, Fraction, Number, PairCount, Section, exactly_one
from causalvae.spec.value_source import VALUES

if TYPE_CHECKING:
    from causalvae.effects.context import EffectContext
    from causalvae.effects.cross_checks import CrossChecks
    from causalvae.effects.metric_rows import MetricFacts
    from causalvae.effects.metrics import Metrics
    from causalvae.effects.types import Estimate
    from causalvae.plan.draft import Draft as PlanDraft
    from causalvae.plan.owner import Owner

_VALUES = ("quantiles", "sd", "at", "codes")


class LatentValues(Section):
    """Values for a latent perturbation: quantiles of the aggregate posterior, offsets in its sd, or numbers.

    For the codes of a VQ-VAE: other codes.
    """

    model_config = ConfigDict(json_schema_extra=exactly_one(_VALUES))

    quantiles: tuple[Fraction, ...] | None = Field(
        default=None, min_length=1, description="Quantiles of the values that the latent takes over the data."
    )
    sd: tuple[Number, ...] | None = Field(
        default=None,
        min_length=1,
        description="Its own value, moved by this number of standard deviations over the data.",
    )
    at: tuple[Number, ...] | None = Field(
        default=None, min_length=1, description="These values, in the latent's own units, such as [-1, 1]."
    )
    codes: Literal["swap", "frequency"] | None = Field(
        default=None,
        description="swap replaces each code with another one, drawn uniformly; frequency draws codes by their "
        "frequency in the data.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> LatentValues:
        given = [name for name in _VALUES if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "one_of",
                "give exactly one of {choices}",
                {"given": " and ".join(given) or "none", "choices": ", ".join(_VALUES)},
            )
        return self

    @model_serializer(mode="wrap")
    def _leave_out(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A spec without `at` keeps the digest that it had before this key existed.
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if key != "at" or value is not None}

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The kind and number of each value, in turn."""
        if self.codes is not None:
            return (Choice(f"code_{self.codes}"),)
        listed = (("quantile", self.quantiles), ("sd", self.sd), ("constant", self.at))
        return tuple(Choice(kind, value) for kind, values in listed for value in values or ())


class LatentIntervention(InterventionLevel):
    """Level 2: set latents to values."""

    kind: ClassVar[str] = "latent"
    order: ClassVar[int] = 2

    components: ComponentRef | tuple[ComponentRef, ...]
    # From left to right, so that no kind is imported where none is named.
    values: LatentValues | Annotated[str, Named(VALUES, lambda kind: "values" in kind.keys)] = Field(
        default=LatentValues(quantiles=(0.05, 0.25, 0.75, 0.95)), union_mode="left_to_right"
    )
    pairs: PairCount | None = Field(default=None, description="Use only this many samples; at least 2.")
    layers: tuple[ComponentRef, ...] | None = Field(
        default=None,
        min_length=1,
        description="Layers of the decoder at which the changes that latents cause are compared, for modularity; by "
        "default its first two layers.",
    )

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The kind and number of each value, in turn."""
        return (Choice(self.values),) if isinstance(self.values, str) else self.values.choices

    def references(self) -> Iterator[tuple[Path, str]]:
        """The latents, and the layers at which changes are compared."""
        yield from references_below(("components",), self.components)
        yield from references_below(("layers",), self.layers or ())

    def plan(self, draft: PlanDraft, owner: Owner) -> None:
        """An arm for each latent and value, on the observed samples."""
        from causalvae.interventions.latent.plan import plan_perturbation

        plan_perturbation(draft, owner, self)

    def estimate(self, context: EffectContext, owner: Owner, checks: CrossChecks) -> list[Estimate]:
        """Effect sizes, strength and specificity of each latent and value."""
        from causalvae.interventions.latent.estimate import estimate_perturbation

        return estimate_perturbation(context, owner)

    def metrics(
        self, context: EffectContext, owner: Owner, copy: EffectContext | None, oracle: MetricFacts | None
    ) -> Metrics | None:
        """Strength, specificity, modularity and kinds of the latents, with their baselines."""
        from causalvae.interventions.latent.metrics import measure_perturbation

        return measure_perturbation(context, owner, copy, oracle)
