"""The root mean square of sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class LoudnessReadout(ReadoutSection):
    """The root mean square of sounds."""

    kind: ClassVar[str] = "loudness"
    of: ClassVar[Measured] = "sound"

    readout: Literal["loudness"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.output import OutputReadout
        from causalvae.readouts.sound import loudness

        return OutputReadout(
            attribute, self.readout, "share of full scale", None, lambda features: loudness(features.wave)
        )
