"""Worlds with a structural causal model that the spec declares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from causalvae.data.scm_checks import check_scm, structural_factors
from causalvae.spec.data_section import DataSection
from causalvae.spec.diagnostics import Finding
from causalvae.spec.entries import DataEntry
from causalvae.spec.scm_section import Size, VariableSection
from causalvae.spec.section import Name

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


def or_equation(schema: dict[str, Any]) -> None:
    """Add the short form of variables, an equation, to the JSON Schema."""
    equation = {"type": ["string", "number"], "description": "An equation, such as 0.5 * size + normal(0, 0.1)."}
    schema["patternProperties"] = {
        pattern: {"anyOf": [equation, long_form]} for pattern, long_form in schema["patternProperties"].items()
    }


class ScmData(DataSection):
    """Samples of a structural causal model that the spec declares, shown as pictures, sounds or a table."""

    kind: ClassVar[str] = "scm"

    source: Literal["scm"]
    world: Literal["shapes", "tones", "table"] = Field(
        description=(
            "shapes draws a coloured shape in RGB, tones plays a tone, table gives the variables themselves as columns."
        )
    )
    variables: dict[Name, VariableSection] = Field(
        min_length=1,
        max_length=100,
        json_schema_extra=or_equation,
        description="Variables by name: an equation, or {levels: ...}.",
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
            "table: how columns are scaled: range, to [0, 1]; standard, to mean 0 and standard deviation 1; or not at "
            "all."
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

    def facts(self) -> DataEntry | None:
        """Properties derived from its structural model; None if that is invalid."""
        factors = structural_factors(self.variables)
        if factors is None:
            return None
        if self.world == "shapes":
            return DataEntry(factors, True, (3, self.side, self.side))
        if self.world == "tones":
            return DataEntry(factors, True, (1, self.length), rate=self.rate)
        columns = tuple(factor.name for factor in factors if not self.variables[factor.name].hidden)
        return DataEntry(factors, True, (len(columns),), columns)

    def findings(self) -> list[Finding]:
        """Findings on its equations, and on variables that its world cannot show."""
        return check_scm(self)

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.scm import open_scm

        return open_scm(self)
