"""CelebA, from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from causalvae.data.official_factors import CELEBA
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import OneFolder, Side
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class CelebaData(OneFolder):
    """CelebA (Liu et al. 2015): aligned faces with 40 attributes, which are observed and cannot be set."""

    kind: ClassVar[str] = "celeba"

    source: Literal["celeba"]
    part: Literal["all", "train", "valid", "test"] = Field(default="all", description="By list_eval_partition.")
    crop: Annotated[int, Field(strict=True, ge=8, le=178)] = Field(
        default=178, description="Side of the square that is cut from the middle of the 178 x 218 pixels."
    )
    size: Side = Field(default=64, description="Pixels a side of the resulting image.")

    def facts(self) -> DataEntry | None:
        """Properties known before the data are opened."""
        return DataEntry(CELEBA, input_shape=(3, self.size, self.size))

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.celeba import open_celeba

        return open_celeba(locate(folder, self.path), self.part, self.crop, self.size)
