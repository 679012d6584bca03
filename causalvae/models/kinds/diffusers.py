"""Folders that diffusers saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.model_section import InputRange, ModelSection
from causalvae.spec.places import PlaceKind

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened


class DiffusersModel(ModelSection):
    """A folder that diffusers saved: config.json and weights of an AutoencoderKL, a VQModel or an AutoencoderTiny."""

    kind: ClassVar[str] = "diffusers"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder"}

    source: Literal["diffusers"]
    path: str = Field(
        min_length=1,
        description="The autoencoder's folder or that of a pipeline with vae/ in it, relative to the spec.",
    )
    input_range: InputRange = (-1.0, 1.0)

    @property
    def label(self) -> str:
        """Name of the network in reports."""
        return "diffusers"

    @classmethod
    def recognise(cls, path: Path) -> tuple[dict[str, Any], ...]:
        """A folder with the configuration of an autoencoder, or of a pipeline with one."""
        return ({},) if (path / "config.json").is_file() or (path / "vae" / "config.json").is_file() else ()

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.diffusers_source import open_diffusers

        return open_diffusers(self, folder, tuple(inputs.shape[1:]))
