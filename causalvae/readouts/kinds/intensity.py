"""The brightness of the strokes of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class IntensityReadout(ReadoutSection):
    """The brightness of the strokes of pictures."""

    kind: ClassVar[str] = "intensity"
    of: ClassVar[Measured] = "picture"

    readout: Literal["intensity"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.output import OutputReadout
        from causalvae.readouts.strokes import intensity

        return OutputReadout(attribute, self.readout, "grey levels", None, lambda features: intensity(features.images))
