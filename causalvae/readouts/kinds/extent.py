"""How far the light of pictures spreads along or across its longest axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class ExtentReadout(PartSection):
    """How far the light of pictures spreads along or across its longest axis."""

    kind: ClassVar[str] = "extent"
    of: ClassVar[Measured] = "picture"

    readout: Literal["extent"]
    axis: Literal["major", "minor"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts import geometry
        from causalvae.readouts.output import moment_readout

        formula = geometry.extent_major if self.axis == "major" else geometry.extent_minor
        return moment_readout(attribute, self, f"extent {self.axis}", "pixels", formula)
