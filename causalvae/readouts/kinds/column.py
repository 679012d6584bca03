"""A column of a table, or the mean of several."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from causalvae.spec.columns import Columns
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection
from causalvae.spec.section import Index

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


def or_name_alone(schema: dict[str, Any]) -> None:
    """Add the short form ``readout: {column: NAME}`` to the JSON Schema."""
    keys = schema["properties"]
    name = next(arm for arm in keys["column"]["anyOf"] if arm.get("type") == "string")
    short = {"type": "object", "properties": {"column": name}, "required": ["column"], "additionalProperties": False}
    keys["readout"] = {"title": keys["readout"].pop("title"), "anyOf": [short, keys["readout"]]}


class ColumnReadout(ReadoutSection):
    """A column of a table, or the mean of several."""

    model_config = ConfigDict(json_schema_extra=or_name_alone)
    kind: ClassVar[str] = "column"
    of: ClassVar[Measured] = "table"
    short_key: ClassVar[str] = "column"

    readout: Literal["column"]
    column: str | None = Field(
        default=None,
        max_length=200,
        description="The name of the column, instead of index; with *, such as P1_*, the mean of all columns that "
        "match.",
    )
    index: Index | None = Field(default=None, description="The number of the column, from 0.")

    def findings(self, name: str, path: Path, source: DataEntry | None) -> list[Finding]:
        """A finding if not exactly one key is given, or if the data lack the column."""
        if (self.column is None) == (self.index is None):
            given = "it has neither" if self.column is None else "it has both"
            return [
                Finding(
                    "CV038",
                    (*path, "column"),
                    f"the readout 'column' of '{name}' needs either column or index; {given}",
                    "Write `column: NAME`.",
                )
            ]
        if source is None or not source.columns:
            return []
        is_pattern = self.column is not None and "*" in self.column
        if is_pattern and any(fnmatchcase(column, str(self.column)) for column in source.columns):
            return []
        if self.column is not None and self.column not in source.columns:
            return [
                Finding(
                    "CV038",
                    (*path, "column"),
                    f"the data have no column {show_text(self.column)}",
                    f"Its columns are {list_choices(source.columns, 'and')}.",
                    nearest(self.column, source.columns),
                )
            ]
        if self.index is not None and self.index >= len(source.columns):
            advice = f"Its columns are 0 to {len(source.columns) - 1}."
            return [Finding("CV038", (*path, "index"), f"the data have no column {self.index}", advice)]
        return []

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout.

        Raises
        ------
        CausalVAEError
            CV229 if the data lack the column.
        """
        from causalvae.readouts.output import ColumnOutput

        return ColumnOutput.named(attribute, self.column, self.index, columns)
