"""Flashes of light on a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from causalvae.spec.data_section import DataSection
from causalvae.spec.entries import DataEntry, FactorEntry

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


class FlashesData(DataSection):
    """Flashes on a line of detectors: a place and a brightness each."""

    kind: ClassVar[str] = "flashes"

    source: Literal["flashes"]
    detectors: int = Field(default=16, ge=8, le=64, description="Detectors on the line.")

    def facts(self) -> DataEntry:
        """What is known before the data are opened."""
        place = FactorEntry("place", "ordinal", self.detectors - 4, 2.0, self.detectors - 3.0)
        brightness = FactorEntry("brightness", "ordinal", 8, 0.3, 1.0)
        return DataEntry((place, brightness), input_shape=(self.detectors,))

    def open(self, folder: Path) -> Dataset:
        """The data set."""
        from causalvae_flashes.dataset import FlashesDataset

        return FlashesDataset(self.detectors)
