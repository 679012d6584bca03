"""The brightest detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class PeakReadout(ReadoutSection):
    """How bright the brightest detector is."""

    kind: ClassVar[str] = "peak"
    of: ClassVar[Measured] = "output"

    readout: Literal["peak"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts.output import OutputReadout

        return OutputReadout(attribute, "peak", "", None, lambda features: features.images.flatten(1).amax(1).double())
