"""The mean frequency of sounds, weighted by the power at each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import RateSection

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout


class SpectralCentroidReadout(RateSection):
    """The mean frequency of sounds, weighted by the power at each."""

    kind: ClassVar[str] = "spectral_centroid"

    readout: Literal["spectral_centroid"]

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout:
        """Make the readout."""
        from causalvae.readouts.output import sound_readout
        from causalvae.readouts.sound import spectral_centroid

        return sound_readout(attribute, self, data, spectral_centroid)
