"""Two mixtures of three sources of sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from causalvae.spec.data_section import DataSection
from causalvae.spec.entries import DataEntry, FactorEntry
from causalvae.spec.section import Seed
from causalvae_neighbours.half_avae.names import LOUDNESSES, MICROPHONES, SOURCES

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


Steps = Annotated[int, Field(strict=True, ge=16, le=131_072)]


class MixturesData(DataSection):
    """Two mixtures of three sources, recorded once for every combination of loud and soft sources.

    Factors are the loudnesses (0.5, 1) of ``sine``, ``square`` and ``sawtooth``.
    """

    kind: ClassVar[str] = "mixtures"

    source: Literal["mixtures"]
    length: Steps = Field(default=256, description="Time steps of each recording.")
    world: Seed = Field(default=0, description="Seed of waves, mixing and noise.")

    def facts(self) -> DataEntry:
        """What is known before the recordings are made."""
        loudness = tuple(FactorEntry(name, "ordinal", len(LOUDNESSES), *LOUDNESSES) for name in SOURCES)
        return DataEntry(loudness, input_shape=(len(MICROPHONES) + 1,), columns=MICROPHONES)

    def open(self, folder: Path) -> Dataset:
        """The data set; CV242 for recordings that cannot be made."""
        from causalvae_neighbours.half_avae.mixtures import MixturesDataset

        return MixturesDataset(self.length, self.world)
