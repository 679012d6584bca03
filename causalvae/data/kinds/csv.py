"""A table of the user's own in a text file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.diagnostics import Finding, show_text
from causalvae.spec.file_section import Column, FilePath, OwnData, Scale, TableFormat, scale_findings
from causalvae.spec.places import PlaceKind, locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class CsvData(OwnData, TableFormat):
    """A table of your own: one sample per row, inputs and factors in named columns."""

    kind: ClassVar[str] = "csv"
    recognised: ClassVar[str] = "a csv, tsv or tab file"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "file"}

    source: Literal["csv"]
    path: FilePath = Field(description="The file, relative to the spec file; a first line names the columns.")
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

    def findings(self) -> list[Finding]:
        """Findings on inputs that are also factors, on the format and on the scale."""
        columns = {self.column_of(name): name for name in self.factors}
        return [
            *self.format_findings(),
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

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A text file whose name ends as those of tables do."""
        if not path.is_file() or path.suffix not in (".csv", ".tsv", ".tab"):
            return None
        return {} if path.suffix == ".csv" else {"separator": "\t"}

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.own_table import open_csv

        return open_csv(self, locate(folder, self.path))
