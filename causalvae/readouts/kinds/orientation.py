"""The angle of the longest axis of the light of pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class OrientationReadout(PartSection):
    """The angle of the longest axis of the light of pictures."""

    kind: ClassVar[str] = "orientation"
    of: ClassVar[Measured] = "picture"
    period: ClassVar[float] = math.pi

    readout: Literal["orientation"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """What measures outputs."""
        from causalvae.readouts.geometry import orientation
        from causalvae.readouts.output import moment_readout

        return moment_readout(attribute, self, self.readout, "radians", orientation)
