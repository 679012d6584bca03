"""The fundamental frequency of sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import RateSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class PitchReadout(RateSection):
    """The fundamental frequency of sounds."""

    kind: ClassVar[str] = "pitch"

    readout: Literal["pitch"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.output import sound_readout
        from causalvae.readouts.sound import pitch

        return sound_readout(attribute, self, data, pitch)
