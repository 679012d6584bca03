"""The mean of any output."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import PartSection
from causalvae.spec.section import Index

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class MeanReadout(PartSection):
    """The mean of any output."""

    kind: ClassVar[str] = "mean"

    readout: Literal["mean"]
    channel: Index | None = Field(default=None, description="Only this channel, from 0.")

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.features import WHOLE, Part
        from causalvae.readouts.output import ColumnOutput, OutputReadout, mean_of

        part, channel = Part.of(self), self.channel
        if columns is not None and columns.is_scaled and part == WHOLE:
            every = tuple(range(len(columns.names)))
            return ColumnOutput(attribute, "mean", "mean of all columns", None, every, columns)
        label = "" if channel is None else f" of channel {channel}"
        return OutputReadout(
            attribute,
            f"mean{label}{part.label}",
            "output",
            None,
            lambda features: mean_of(features.images, channel, part),
        )
