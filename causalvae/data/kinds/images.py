"""A folder of the user's own images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.diagnostics import Finding
from causalvae.spec.file_section import Column, FilePath, OwnData, Side, TableFormat, scale_findings
from causalvae.spec.places import PlaceKind, locate
from causalvae.spec.section import Flag, Number

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")


class ImagesData(OwnData, TableFormat):
    """A folder of images of your own, and a table of their factors."""

    kind: ClassVar[str] = "images"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder", "table": "file"}

    source: Literal["images"]
    path: FilePath = Field(
        description="The folder with png, jpg, tif, bmp, gif or webp files, relative to the spec file."
    )
    table: FilePath | None = Field(
        default=None, description="A csv file, relative to the spec file, with the images' names and their factors."
    )
    file_column: Column = Field(default="file", description="The table's column of file names.")
    size: Side = Field(default=64, description="Pixels a side: the middle square of each image, scaled.")
    colour: Flag = Field(default=True, description="Three channels; if false, one channel with the luminance.")
    background: Literal["white", "black"] = Field(default="white", description="The background of transparent pixels.")
    scale: tuple[Number, Number] | None = Field(
        default=None,
        description=(
            "[LOW, HIGH]: the values that become 0 and 1. By default black and white of the file's type: 0 and 255 "
            "for 8 bits, 0 and 65535 for 16, 0 and 1 for floats."
        ),
    )

    def findings(self) -> list[Finding]:
        """Findings on factors without a table, on the format and on the scale."""
        untold = [
            Finding(
                "CV088",
                ("data", "factors"),
                "the factors of these images are not declared",
                "Add `table: FILE.csv` with a column of file names and one for each factor.",
                on_key=True,
            )
        ]
        missing = untold if self.factors and self.table is None else []
        return [*missing, *self.format_findings(), *scale_findings(self.scale)]

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A folder with pictures."""
        pictures = path.is_dir() and any(item.suffix.lower() in _SUFFIXES for item in path.iterdir())
        return {} if pictures else None

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.own_images import open_images

        table = None if self.table is None else locate(folder, self.table)
        return open_images(self, locate(folder, self.path), table)
