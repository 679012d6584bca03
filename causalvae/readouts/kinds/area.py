"""The light of pictures, or what stands out from the background in RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class AreaReadout(PartSection):
    """The light of pictures, or what stands out from the background in RGB."""

    kind: ClassVar[str] = "area"
    of: ClassVar[Measured] = "picture"

    readout: Literal["area"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts.geometry import area
        from causalvae.readouts.output import moment_readout

        return moment_readout(attribute, self, self.readout, "pixels", area)
