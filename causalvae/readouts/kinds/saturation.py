"""The saturation of what differs from the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class SaturationReadout(PartSection):
    """The saturation of what differs from the background."""

    kind: ClassVar[str] = "saturation"
    of: ClassVar[Measured] = "colour"

    readout: Literal["saturation"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.foreground import saturation
        from causalvae.readouts.output import colour_readout

        return colour_readout(attribute, self, "share of pure", saturation)
