"""Base classes and types of data sections with files: paths, factors of own data, formats and scales."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from causalvae.spec.data_section import DataSection
from causalvae.spec.diagnostics import Finding, show_text
from causalvae.spec.places import PlaceKind
from causalvae.spec.section import Name, Number, Section, long_factors

FilePath = Annotated[str, Field(min_length=1, max_length=1000)]
Side = Annotated[int, Field(strict=True, ge=8, le=512)]
Column = Annotated[str, Field(min_length=1, max_length=200)]


class OneFile(DataSection):
    """Data that lies in one file."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    path: FilePath = Field(description="The file, relative to the spec file.")


class OneFolder(DataSection):
    """Data that lies in the files of one folder."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder"}

    path: FilePath = Field(description="The folder with the files, relative to the spec file.")


class FactorColumn(Section):
    """Where a factor of your own data is, and how it is read."""

    column: Column | None = Field(default=None, description="Column or array; by default the factor's name.")
    kind: Literal["categorical", "ordinal", "cyclic", "continuous"] | None = Field(
        default=None,
        description=(
            "By default categorical if it is text, ordinal if it has at most 50 different whole numbers or each "
            "combination of the factors occurs exactly once, and continuous otherwise. A categorical factor is read "
            "as text: 01 and 1 are two levels."
        ),
    )
    period: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="cyclic: the period of its values; by default 2 pi."
    )


class OwnData(DataSection):
    """The user's own samples, with or without factors.

    Where each combination of the factors' levels is there exactly once, a factor can be set: the sample with the other
    level is looked up. Otherwise factors are observed only.
    """

    factors: dict[Name, FactorColumn] = Field(
        default={}, max_length=100, description="A list of names, or a mapping with column and kind; optional."
    )

    @field_validator("factors", mode="before")
    @classmethod
    def _list_of_names(cls, value: Any) -> Any:
        return long_factors(value)

    @property
    def lacks_factors(self) -> bool:
        """Whether the section declares no factors."""
        return not self.factors

    @staticmethod
    def factors_of(texts: Sequence[str]) -> dict[str, Any]:
        """The key `factors` for columns or arrays, for `recognise`; empty if there are none."""
        named = {re.sub(r"^(?![A-Za-z_])|[^A-Za-z0-9_-]", "_", column): {"column": column} for column in texts}
        return {"factors": list(texts) if set(named) == set(texts) else named} if texts else {}

    def column_of(self, factor: str) -> str:
        """The column or array with the values of a factor."""
        return self.factors[factor].column or factor


Scale = Literal["found", "none"] | tuple[Number, Number]
Separator = Annotated[str, Field(min_length=1, max_length=1)]


class TableFormat(Section):
    """How a table in a text file is written."""

    separator: Separator = Field(
        default=",", description="The character between the entries of a line, such as ; or a tab."
    )
    decimal: Literal[".", ","] = Field(default=".", description="The character between a number and its decimals.")

    def format_findings(self) -> list[Finding]:
        """A finding if one character separates both entries and decimals."""
        if self.separator != self.decimal:
            return []
        return [
            Finding(
                "CV088",
                ("data", "decimal"),
                f"{show_text(self.decimal)} cannot separate both entries and decimals",
                "Write the `separator` of the file, such as ';'.",
            )
        ]


class OwnTable(OwnData):
    """A table of the user's own in a file: one sample per row, inputs and factors in named columns."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    path: FilePath = Field(description="The file, relative to the spec file.")
    inputs: tuple[Column, ...] = Field(
        default=("*",),
        min_length=1,
        description="Names of columns, or patterns such as `gene_*`; patterns do not match columns of factors.",
    )
    scale: Scale = Field(
        default="found",
        description=(
            "found: the smallest and largest value of each column become 0 and 1; [LOW, HIGH]: these values become 0 "
            "and 1 in all columns; none: values are not changed."
        ),
    )

    @property
    def is_rescaled(self) -> bool:
        """Whether numbers are mapped to [0, 1] by a range that is found in them."""
        return self.scale == "found"

    def findings(self) -> list[Finding]:
        """Findings on inputs that are also factors, and on the scale."""
        columns = {self.column_of(name): name for name in self.factors}
        return [
            *(
                Finding(
                    "CV088",
                    ("data", "inputs", index),
                    f"the column {show_text(column)} is the factor '{columns[column]}' as well",
                    "A network that receives a factor does not have to infer it: delete the column from one of the "
                    "two lists.",
                )
                for index, column in enumerate(self.inputs)
                if column in columns
            ),
            *scale_findings(self.scale),
        ]


class LabelledFiles(OwnData, TableFormat):
    """A folder of the user's own files, one a sample, and a table of their factors."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder", "table": "file"}

    path: FilePath = Field(description="The folder with the files, relative to the spec file.")
    table: FilePath | None = Field(
        default=None,
        description="A csv file, relative to the spec file, with the names of the files and their factors.",
    )
    file_column: Column = Field(default="file", description="The table's column of file names.")

    def findings(self) -> list[Finding]:
        """Findings on factors without a table, and on the format."""
        undeclared = [
            Finding(
                "CV088",
                ("data", "factors"),
                f"the factors of these {self.kind} are not declared",
                "Add `table: FILE.csv` with a column of file names and one for each factor.",
                on_key=True,
            )
        ]
        missing = undeclared if self.factors and self.table is None else []
        return [*missing, *self.format_findings()]


def scale_findings(scale: Scale | None) -> list[Finding]:
    """A finding if the scale has no extent."""
    if not isinstance(scale, tuple) or scale[0] < scale[1]:
        return []
    return [
        Finding(
            "CV089",
            ("data", "scale"),
            f"nothing lies between {scale[0]:.6g} and {scale[1]:.6g}",
            "Write [LOW, HIGH]: the value that becomes 0, then the value that becomes 1.",
        )
    ]
