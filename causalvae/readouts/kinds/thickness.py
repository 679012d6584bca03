"""The thickness of the strokes of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, ReadoutSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class ThicknessReadout(ReadoutSection):
    """The thickness of the strokes of pictures."""

    kind: ClassVar[str] = "thickness"
    of: ClassVar[Measured] = "picture"
    # The labels of MorphoMNIST are themselves a measurement.
    least_r2: ClassVar[float] = 0.85

    readout: Literal["thickness"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.output import OutputReadout
        from causalvae.readouts.strokes import thickness

        return OutputReadout(
            attribute, self.readout, "pixels", None, lambda features: thickness(features.images), least_r2=self.least_r2
        )
