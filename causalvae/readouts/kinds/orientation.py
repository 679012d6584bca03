"""The angle of the longest axis of the light of pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import Measured, PartSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout
    from causalvae.readouts.types import ReadoutCheck, Seen

LEAST_RESULTANT: Final = 0.99
MOST_BIAS: Final = 0.05


class OrientationReadout(PartSection):
    """The angle of the longest axis of the light of pictures."""

    kind: ClassVar[str] = "orientation"
    of: ClassVar[Measured] = "picture"
    period: ClassVar[float] = math.pi

    readout: Literal["orientation"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.geometry import orientation
        from causalvae.readouts.output import moment_readout

        return moment_readout(attribute, self, self.readout, "radians", orientation, self.judge)

    def judge(self, seen: Seen) -> ReadoutCheck:
        """Compare with ellipses: mean resultant length of at least 0.99 and mean error below 0.05 radians."""
        import numpy as np

        from causalvae.readouts.types import ReadoutCheck

        truth = seen.own_truth
        defined = np.isfinite(truth)
        inputs, outputs = (
            np.exp(2j * np.pi * (values[defined] - truth[defined]) / self.period).mean()
            for values in (seen.found, seen.rebuilt)
        )
        bias = float(np.angle(inputs)) * self.period / (2 * np.pi)
        return ReadoutCheck(
            attribute=seen.attribute,
            readout=seen.readout,
            against="orientation of ellipses, in radians modulo pi",
            metric="mean resultant length of the error",
            on_inputs=float(abs(inputs)),
            on_reconstructions=float(abs(outputs)),
            n=int(defined.sum()),
            passed=float(abs(inputs)) >= LEAST_RESULTANT and abs(bias) < MOST_BIAS,
            note=(
                f"Mean error {bias:+.3f} radians on inputs. Ellipses only: a square has no longest axis, and a heart's "
                "two axes differ by a sixth only. Differences repeat after pi and must be wrapped."
            ),
        )
