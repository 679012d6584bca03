"""A table of the user's own in a text file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.errors import CausalVAEError
from causalvae.spec.diagnostics import Finding
from causalvae.spec.file_section import FilePath, OwnTable, TableFormat
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class CsvData(OwnTable, TableFormat):
    """A table of your own: one sample per row, inputs and factors in named columns."""

    kind: ClassVar[str] = "csv"
    recognised: ClassVar[str] = "a csv, tsv or tab file"

    source: Literal["csv"]
    path: FilePath = Field(description="The file, relative to the spec file; a first line names the columns.")

    def findings(self) -> list[Finding]:
        """Findings on inputs that are also factors, on the format and on the scale."""
        return [*self.format_findings(), *super().findings()]

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A text file whose name ends as those of tables do; columns of text are factors, the others inputs."""
        if not path.is_file() or path.suffix not in (".csv", ".tsv", ".tab"):
            return None
        from causalvae.data.files.text_table import open_table

        separator = "," if path.suffix == ".csv" else "\t"
        keys = {} if separator == "," else {"separator": separator}
        try:
            return keys | cls.factors_of(open_table(path, separator).text_columns())
        except CausalVAEError:
            # A damaged file is refused when it is opened.
            return keys

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.own_table import open_csv

        return open_csv(self, locate(folder, self.path))
