"""Folders that pythae saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.model_section import InputRange, ModelSection
from causalvae.spec.places import PlaceKind

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened


class PythaeModel(ModelSection):
    """A folder that pythae saved: model_config.json, model.pt and, for networks of your own, pickled modules."""

    kind: ClassVar[str] = "pythae"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder"}

    source: Literal["pythae"]
    path: str = Field(min_length=1, description="The folder, relative to the spec file.")
    input_range: InputRange = (0.0, 1.0)

    @property
    def label(self) -> str:
        """Name of the network in reports."""
        return "pythae"

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return True

    @classmethod
    def recognise(cls, path: Path) -> tuple[dict[str, Any], ...]:
        """A folder with a model's configuration."""
        return ({},) if (path / "model_config.json").is_file() else ()

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.pythae_source import open_pythae

        return open_pythae(self, folder, tuple(inputs.shape[1:]))
