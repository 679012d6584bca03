"""A table of the user's own in a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causalvae.errors import CausalVAEError
from causalvae.spec.file_section import OwnTable
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class ParquetData(OwnTable):
    """A table of your own in a Parquet file: one sample per row, inputs and factors in named columns."""

    kind: ClassVar[str] = "parquet"
    recognised: ClassVar[str] = "a parquet file"

    source: Literal["parquet"]

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A file with the suffix of Parquet; columns of text are factors, the others inputs."""
        if not path.is_file() or path.suffix not in (".parquet", ".pq"):
            return None
        from causalvae.data.files.own_parquet import text_columns

        try:
            return cls.factors_of(text_columns(path))
        except CausalVAEError:
            # A damaged file is refused when it is opened.
            return {}

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.own_parquet import open_parquet

        return open_parquet(self, locate(folder, self.path))
