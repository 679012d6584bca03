"""Where the light of pictures is, or what stands out from the background in RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class CentroidReadout(PartSection):
    """Where the light of pictures is, or what stands out from the background in RGB."""

    kind: ClassVar[str] = "centroid"
    of: ClassVar[Measured] = "picture"

    readout: Literal["centroid"]
    axis: Literal["x", "y"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts import geometry
        from causalvae.readouts.output import moment_readout

        formula = geometry.centroid_x if self.axis == "x" else geometry.centroid_y
        return moment_readout(attribute, self, f"centroid {self.axis}", "pixels", formula)
