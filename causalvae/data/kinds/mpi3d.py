"""MPI3D, from its npz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from causalvae.data.official_factors import mpi3d_factors
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import OneFile
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class Mpi3dData(OneFile):
    """MPI3D (Gondal et al. 2019): a robot's arm, 64 x 64 in RGB, the full grid of seven factors; its npz."""

    kind: ClassVar[str] = "mpi3d"

    source: Literal["mpi3d"]
    variant: Literal["toy", "realistic", "real", "complex"] = Field(
        default="toy", description="toy, realistic, real: 1,036,800 images; complex: 460,800 of real-world objects."
    )

    def facts(self) -> DataEntry | None:
        """Properties known before the data are opened."""
        return DataEntry(mpi3d_factors(self.variant), input_shape=(3, 64, 64))

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.mpi3d import open_mpi3d

        return open_mpi3d(locate(folder, self.path), self.variant)
