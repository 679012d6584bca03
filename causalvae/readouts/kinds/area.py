"""The lit area of pictures; in RGB, of what differs from the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout
    from causalvae.readouts.types import ReadoutCheck, Seen

LEAST_R2: Final = 0.99


class AreaReadout(PartSection):
    """The lit area of pictures; in RGB, of what differs from the background."""

    kind: ClassVar[str] = "area"
    of: ClassVar[Measured] = "picture"

    readout: Literal["area"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.geometry import area
        from causalvae.readouts.output import moment_readout

        return moment_readout(attribute, self, self.readout, "pixels", area, self.judge)

    def judge(self, seen: Seen) -> ReadoutCheck:
        """Compare with scale^2 times the area of the shape: R^2 of at least 0.99 for each shape."""
        from causalvae.readouts.types import ReadoutCheck, r_squared

        truth = seen.own_truth
        inputs = {label: r_squared(truth[chosen], seen.found[chosen]) for label, chosen in seen.groups.items()}
        outputs = {label: r_squared(truth[chosen], seen.rebuilt[chosen]) for label, chosen in seen.groups.items()}
        listed = ", ".join(f"{label} {inputs[label]:.4f} and {outputs[label]:.4f}" for label in seen.groups)
        return ReadoutCheck(
            attribute=seen.attribute,
            readout=seen.readout,
            against="scale^2 times the shape's area, in pixels",
            metric="R^2, worst shape",
            on_inputs=min(inputs.values()),
            on_reconstructions=min(outputs.values()),
            n=len(truth),
            passed=min(inputs.values()) >= LEAST_R2,
            note=f"On inputs and on reconstructions: {listed}.",
        )
