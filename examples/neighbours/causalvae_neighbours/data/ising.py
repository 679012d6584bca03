"""Measured configurations of transverse-field Ising rings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.data_section import DataSection
from causalvae.spec.entries import DataEntry, FactorEntry
from causalvae_neighbours.quantum.names import SECTORS

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


Spins = Annotated[int, Field(strict=True, ge=3, le=14)]
Levels = Annotated[int, Field(strict=True, ge=2, le=200)]
FieldStrength = Annotated[float, Field(strict=True, gt=0, le=100, allow_inf_nan=False)]


class IsingData(DataSection):
    """Measured configurations of transverse-field Ising rings, from exact diagonalisation.

    Factors are ``field``, evenly spaced over `fields`, and ``sector`` (up, down), which turns every spin over.
    """

    kind: ClassVar[str] = "ising"
    picture: ClassVar[str] = "spins"

    source: Literal["ising"]
    spins: Spins = Field(default=8, description="Spins in the ring.")
    fields: tuple[FieldStrength, FieldStrength] = Field(
        default=(0.2, 2.0), description="Lowest and highest transverse field, in units of the coupling."
    )
    levels: Levels = Field(default=10, description="Number of fields.")

    @model_validator(mode="after")
    def _rising(self) -> IsingData:
        if self.fields[0] >= self.fields[1]:
            raise PydanticCustomError("range_order", "the lowest field is not below the highest")
        return self

    def facts(self) -> DataEntry:
        """What is known before the configurations are measured."""
        field = FactorEntry("field", "ordinal", self.levels, *self.fields)
        sector = FactorEntry("sector", "categorical", len(SECTORS), 0.0, 1.0, SECTORS)
        return DataEntry((field, sector), input_shape=(self.spins,))

    def open(self, folder: Path) -> Dataset:
        """The data set."""
        from causalvae_neighbours.quantum.ising import IsingDataset

        return IsingDataset(self.spins, *self.fields, self.levels)
