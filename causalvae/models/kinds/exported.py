"""An encoder and a decoder that torch.export saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from causalvae.spec.model_section import InputRange, ModelSection, OutputSection, PosteriorSection
from causalvae.spec.places import PlaceKind
from causalvae.spec.section import ModestCount

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened


class ExportedModel(ModelSection):
    """An encoder and a decoder that torch.export saved; opening such files can run code (--allow-code)."""

    kind: ClassVar[str] = "exported"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"encoder": "file", "decoder": "file"}

    source: Literal["exported"]
    encoder: str = Field(min_length=1, description="A .pt2 file, from inputs to posterior parameters.")
    decoder: str = Field(min_length=1, description="A .pt2 file, from latents to outputs.")
    latent_dim: ModestCount = Field(description="Number of latents; of a latent map, its channels.")
    posterior: PosteriorSection = PosteriorSection()
    output: OutputSection = OutputSection()
    input_range: InputRange = (0.0, 1.0)

    @property
    def label(self) -> str:
        """Name of the network in reports."""
        return "exported programs"

    @property
    def declared_latents(self) -> int | None:
        """Number of latents."""
        return self.latent_dim

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.exported_source import open_exported

        return open_exported(self, folder, tuple(inputs.shape[1:]))
