"""MorphoMNIST, from its IDX files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.data.official_factors import MORPHOMNIST
from causalvae.spec.entries import DataEntry
from causalvae.spec.file_section import OneFolder
from causalvae.spec.places import locate

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class MorphoMnistData(OneFolder):
    """MorphoMNIST: digits whose thickness causes their intensity (Pawlowski et al. 2020), from its IDX files."""

    kind: ClassVar[str] = "morphomnist"
    recognised: ClassVar[str] = "the folder of MorphoMNIST"

    source: Literal["morphomnist"]
    part: Literal["train", "t10k"] = Field(default="train", description="60,000 or 10,000 images.")
    size: Literal[28, 32] = Field(default=28, description="Pixels a side; 32 has a dark rim of 2 pixels.")

    def facts(self) -> DataEntry | None:
        """Properties known before the data are opened."""
        return DataEntry(MORPHOMNIST, structural=True, input_shape=(1, self.size, self.size))

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """A folder with the images, labels and table of a part; of two parts the smaller."""
        parts = [part for part in ("t10k", "train") if path.is_dir() and (path / f"{part}-morpho.csv").is_file()]
        return {"part": parts[0]} if parts else None

    def open(self, folder: Path) -> Dataset:
        """Open the data set."""
        from causalvae.data.files.morphomnist import MorphoMnistDataset

        return MorphoMnistDataset(locate(folder, self.path), self.part, self.size)
