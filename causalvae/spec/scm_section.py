"""A variable of a structural causal model, as a spec declares it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from causalvae.spec.section import Flag, Name, Number, Section

Size = Annotated[int, Field(strict=True, ge=16, le=256)]
Level = Number | str


class VariableSection(Section):
    """A variable of a structural causal model: how it depends on its parents and on its own noise."""

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
        default=None, description="equation: the smallest and the largest value; values beyond are set to these."
    )
    round: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="equation: round to a whole multiple of this."
    )
    range: tuple[Number, Number] | None = Field(
        default=None,
        description="Range by which tables are scaled and in which `set: {to: ...}` must lie; by default found by "
        "sampling.",
    )
    hidden: Flag = Field(default=False, description="Hide it from the inputs: a cause that the network never sees.")

    @property
    def parents_named(self) -> tuple[str, ...]:
        """The names in `given`, as a tuple."""
        return (self.given,) if isinstance(self.given, str) else self.given
