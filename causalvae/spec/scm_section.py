"""The data sections of worlds with a structural causal model: declared by the spec (`scm`), or the pendulum's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from causalvae.spec.draw_section import DrawSection
from causalvae.spec.pendulum import PENDULUM_VARIABLES
from causalvae.spec.section import Flag, Name, Number, Section

Size = Annotated[int, Field(strict=True, ge=16, le=256)]
Level = Number | str


class VariableSection(Section):
    """A variable of a structural causal model: how it comes about from its parents and from noise of its own."""

    equation: Number | str | None = Field(
        default=None,
        description="An expression of other variables and distributions, such as `0.5 * size + normal(0, 0.1)`.",
    )
    levels: (
        Annotated[tuple[Level, ...], Field(min_length=2, max_length=200)]
        | Annotated[dict[str, Number], Field(min_length=2, max_length=200)]
        | None
    ) = Field(
        default=None,
        description="Labels or numbers that are equally likely, or a mapping of each to its probability.",
    )
    given: Name | tuple[Name, ...] = Field(
        default=(), description="table: the variables with levels that choose a row."
    )
    table: dict[str, Any] | None = Field(
        default=None,
        description=(
            "For each level of `given` the probabilities of the levels, in order or by name; for several variables "
            "mappings within mappings."
        ),
    )
    clip: tuple[Number, Number] | None = Field(
        default=None, description="equation: the least and the greatest value; what lies beyond takes these."
    )
    round: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="equation: round to a whole multiple of this."
    )
    range: tuple[Number, Number] | None = Field(
        default=None,
        description="What tables are scaled by and `set: {to: ...}` may name; found by sampling if left out.",
    )
    hidden: Flag = Field(default=False, description="Leave it out of the inputs: a cause that the network never sees.")

    @property
    def parents_named(self) -> tuple[str, ...]:
        """`given` as a tuple."""
        return (self.given,) if isinstance(self.given, str) else self.given


class ScmData(DrawSection):
    """Samples of a structural causal model that the spec declares, shown as pictures, sounds or a table."""

    source: Literal["scm"]
    world: Literal["shapes", "tones", "table"] = Field(
        description=(
            "shapes draws a coloured shape in RGB, tones plays a tone, table gives the variables themselves as columns."
        )
    )
    variables: dict[Name, VariableSection] = Field(
        min_length=1, max_length=100, description="Variables by name: an equation, or {levels: ...}."
    )
    side: Size = Field(default=64, description="shapes: pixels a side.")
    length: Annotated[int, Field(strict=True, ge=256, le=65536)] = Field(
        default=1024, description="tones: samples of a sound."
    )
    rate: Annotated[float, Field(strict=True, ge=1000, le=192_000)] = Field(
        default=8000.0, description="tones: samples a second."
    )
    scale: Literal["range", "standard", "none"] = Field(
        default="range",
        description=(
            "table: columns scaled so that ranges become [0, 1], or to mean 0 and standard deviation 1, or as they are."
        ),
    )

    @field_validator("variables", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: {"equation": what} if isinstance(what, str | int | float) and not isinstance(what, bool) else what
            for name, what in value.items()
        }


class PendulumData(DrawSection):
    """A pendulum, a light and the shade that they cast (Yang et al. 2021, CausalVAE), drawn in RGB."""

    source: Literal["pendulum"]
    side: Literal[64, 96] = Field(default=96, description="Pixels a side.")

    @property
    def variables(self) -> dict[str, VariableSection]:
        """Its structural model."""
        return {name: VariableSection.model_validate(what) for name, what in PENDULUM_VARIABLES.items()}
