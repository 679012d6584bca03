"""The centre of the light of pictures; in RGB, of what differs from the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout
    from causalvae.readouts.types import ReadoutCheck, Seen

MOST_PIXELS: Final = 0.5


class CentroidReadout(PartSection):
    """The centre of the light of pictures; in RGB, of what differs from the background."""

    kind: ClassVar[str] = "centroid"
    of: ClassVar[Measured] = "picture"

    readout: Literal["centroid"]
    axis: Literal["x", "y"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts import geometry
        from causalvae.readouts.output import moment_readout

        formula = geometry.centroid_x if self.axis == "x" else geometry.centroid_y
        return moment_readout(attribute, self, f"centroid {self.axis}", "pixels", formula, self.judge)

    def judge(self, seen: Seen) -> ReadoutCheck:
        """Compare with the position factor, and with the centre of mass: RMS error below half a pixel.

        The centre of mass of a heart differs from the position by up to 2 pixels, about 0.01 of R^2.
        """
        from causalvae.readouts.types import ReadoutCheck, r_squared, rms

        position, mass = seen.truth[f"position {self.axis}"], seen.own_truth
        r2 = r_squared(position, seen.found)
        return ReadoutCheck(
            attribute=seen.attribute,
            readout=seen.readout,
            against=f"16 + 32 {self.axis}, in pixels",
            metric="R^2",
            on_inputs=r2,
            on_reconstructions=r_squared(position, seen.rebuilt),
            n=len(position),
            passed=r2 >= self.least_r2 and rms(seen.found - mass) < MOST_PIXELS,
            note=(
                f"RMS error {rms(seen.found - position):.2f} pixels on inputs, {rms(seen.rebuilt - position):.2f} on "
                f"reconstructions; against the centre of mass, which for hearts is not the point that the factor "
                f"places, {rms(seen.found - mass):.2f} and {rms(seen.rebuilt - mass):.2f}."
            ),
        )
