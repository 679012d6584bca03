"""A latent as an attribute."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import ReadoutSection
from causalvae.spec.section import Index


class LatentReadout(ReadoutSection):
    """A latent itself; if all attributes are latents, the decoder is not run."""

    kind: ClassVar[str] = "latent"

    readout: Literal["latent"]
    index: Index = Field(description="The number of a latent.")

    @property
    def latent_index(self) -> int:
        """Index of the latent."""
        return self.index

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> None:
        """None, since it is not measured on outputs."""
