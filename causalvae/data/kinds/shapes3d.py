"""3D Shapes, from its HDF5 file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.data.official_factors import SHAPES3D
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import OneFile
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class Shapes3dData(OneFile):
    """3D Shapes (Burgess and Kim 2018): 480,000 images 64 x 64 in RGB, the full grid of six factors; 3dshapes.h5."""

    kind: ClassVar[str] = "shapes3d"

    source: Literal["shapes3d"]

    def facts(self) -> DataEntry | None:
        """Properties known before the data are opened."""
        return DataEntry(SHAPES3D, input_shape=(3, 64, 64))

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.shapes3d import open_shapes3d

        return open_shapes3d(locate(folder, self.path))
