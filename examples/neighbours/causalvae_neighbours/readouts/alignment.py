"""The mean product of neighbours in rows of spins."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class AlignmentReadout(ReadoutSection):
    """The mean product of neighbours in rows of spins."""

    kind: ClassVar[str] = "alignment"
    of: ClassVar[Measured] = "table"

    readout: Literal["alignment"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts.output import OutputReadout
        from causalvae_neighbours.quantum.spins import alignment

        return OutputReadout(attribute, self.readout, "mean product", None, lambda features: alignment(features.images))
