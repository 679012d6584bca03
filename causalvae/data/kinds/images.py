"""A folder of the user's own images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.diagnostics import Finding
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import FilePath, LabelledFiles, Side, scale_findings
from causalvae.spec.places import locate
from causalvae.spec.section import Flag, Number

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")


class ImagesData(LabelledFiles):
    """A folder of images of your own, and a table of their factors."""

    kind: ClassVar[str] = "images"
    recognised: ClassVar[str] = "a folder of images"

    source: Literal["images"]
    path: FilePath = Field(
        description="The folder with png, jpg, tif, bmp, gif or webp files, relative to the spec file."
    )
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

    def input_facts(self) -> DataEntry:
        """The shape of images; only the table tells the factors."""
        return DataEntry(None, input_shape=(3 if self.colour else 1, self.size, self.size))

    def findings(self) -> list[Finding]:
        """Findings on factors without a table, on the format and on the scale."""
        return [*super().findings(), *scale_findings(self.scale)]

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
