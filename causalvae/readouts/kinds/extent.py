"""The spread of the light of pictures along or across its longest axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout
    from causalvae.readouts.types import ReadoutCheck, Seen


class ExtentReadout(PartSection):
    """The spread of the light of pictures along or across its longest axis."""

    kind: ClassVar[str] = "extent"
    of: ClassVar[Measured] = "picture"

    readout: Literal["extent"]
    axis: Literal["major", "minor"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts import geometry
        from causalvae.readouts.output import moment_readout

        formula = geometry.extent_major if self.axis == "major" else geometry.extent_minor
        return moment_readout(attribute, self, f"extent {self.axis}", "pixels", formula, self.judge)

    def judge(self, seen: Seen) -> ReadoutCheck:
        """Compare with scale times the extent of the shape."""
        from causalvae.readouts.types import ReadoutCheck, r_squared, rms

        truth = seen.own_truth
        r2 = r_squared(truth, seen.found)
        error, rebuilt = rms(seen.found - truth), rms(seen.rebuilt - truth)
        return ReadoutCheck(
            attribute=seen.attribute,
            readout=seen.readout,
            against="scale times the shape's own extent, in pixels",
            metric="R^2",
            on_inputs=r2,
            on_reconstructions=r_squared(truth, seen.rebuilt),
            n=len(truth),
            passed=r2 >= self.least_r2,
            note=f"RMS error {error:.2f} pixels on inputs, {rebuilt:.2f} on reconstructions.",
        )
