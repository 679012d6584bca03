"""Small NORB, from its dat, cat and info files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from causalvae.data.official_factors import smallnorb_factors
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import OneFolder
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class SmallNorbData(OneFolder):
    """Small NORB (LeCun et al. 2004): toys from many angles, the full grid of five factors; its dat, cat and info."""

    kind: ClassVar[str] = "smallnorb"

    source: Literal["smallnorb"]
    part: Literal["both", "training", "testing"] = Field(
        default="both", description="Each part has five of the ten instances of every category."
    )
    camera: Literal["left", "right"] = "left"
    size: Annotated[int, Field(strict=True, ge=8, le=96)] = Field(
        default=64, description="Pixels a side, made from 96 by averaging."
    )

    def facts(self) -> DataEntry | None:
        """Properties known before the data are opened."""
        return DataEntry(smallnorb_factors(self.part), input_shape=(1, self.size, self.size))

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.smallnorb import open_smallnorb

        return open_smallnorb(locate(folder, self.path), self.part, self.camera, self.size)
