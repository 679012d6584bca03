"""The hue of what differs from the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class HueReadout(PartSection):
    """The hue of what differs from the background."""

    kind: ClassVar[str] = "hue"
    of: ClassVar[Measured] = "colour"
    period: ClassVar[float] = 1.0

    readout: Literal["hue"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.foreground import hue
        from causalvae.readouts.output import colour_readout

        return colour_readout(attribute, self, "turns", hue)
