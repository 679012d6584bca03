"""Cars3D, from its folder of .mat files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from causalvae.data.official_factors import CARS3D
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import OneFolder
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class Cars3dData(OneFolder):
    """Cars3D (Reed et al. 2015): 183 cars from 24 angles and 4 elevations; its folder of .mat files."""

    kind: ClassVar[str] = "cars3d"

    source: Literal["cars3d"]
    size: Annotated[int, Field(strict=True, ge=8, le=128)] = Field(
        default=64, description="Pixels a side, made from 128 by averaging."
    )

    def facts(self) -> DataEntry | None:
        """Properties known before the data are opened."""
        return DataEntry(CARS3D, input_shape=(3, self.size, self.size))

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.cars3d import open_cars3d

        return open_cars3d(locate(folder, self.path), self.size)
