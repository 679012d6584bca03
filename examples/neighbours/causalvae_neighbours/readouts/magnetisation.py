"""The mean spin of rows of spins."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class MagnetisationReadout(ReadoutSection):
    """The mean spin of rows of spins."""

    kind: ClassVar[str] = "magnetisation"
    of: ClassVar[Measured] = "table"

    readout: Literal["magnetisation"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts.output import OutputReadout
        from causalvae_neighbours.quantum.spins import magnetisation

        return OutputReadout(
            attribute, self.readout, "mean spin", None, lambda features: magnetisation(features.images)
        )
