"""The energy a spin of rows of spins, in the Ising model at its critical field."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class EnergyReadout(ReadoutSection):
    """The energy a spin of rows of spins, in the Ising model at its critical field."""

    kind: ClassVar[str] = "energy"
    of: ClassVar[Measured] = "table"

    readout: Literal["energy"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts.output import OutputReadout
        from causalvae_neighbours.quantum.spins import energy

        return OutputReadout(attribute, self.readout, "couplings", None, lambda features: energy(features.images))
