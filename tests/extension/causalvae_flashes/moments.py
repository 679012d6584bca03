"""A network whose weights are known: its latents are a flash's light and its first moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from causalvae.spec.model_section import ModelSection
from causalvae.spec.places import PlaceKind

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened


class MomentsModel(ModelSection):
    """A network without training: latent 0 is the light of a flash, latent 1 its place."""

    kind: ClassVar[str] = "moments"
    PLACES: ClassVar[dict[str, PlaceKind]] = {}

    source: Literal["moments"]

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        return "moments of a flash"

    @property
    def declared_latents(self) -> int:
        """Number of latents."""
        return 2

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.opened import Opened
        from causalvae_flashes.network import make_network

        return Opened(make_network(inputs.shape[1]), identity=f"moments of {inputs.shape[1]} detectors")
