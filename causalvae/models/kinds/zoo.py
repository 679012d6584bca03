"""Networks of this package, with weights that it ships or that `causalvae train` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from causalvae.spec.architecture_section import ARCHITECTURES, DEFAULT_ARCHITECTURE
from causalvae.spec.markers import Named
from causalvae.spec.model_section import ModelSection
from causalvae.spec.places import BUILTIN, builtin_latents

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened


class ZooModel(ModelSection):
    """A network and weights that this package ships."""

    kind: ClassVar[str] = "zoo"
    has_known_shapes: ClassVar[bool] = True

    source: Literal["zoo"]
    name: Annotated[str, Named(ARCHITECTURES)] | None = Field(
        default=None, description="The architecture; by default the one that the weights were trained with."
    )
    weights: str = Field(
        min_length=1,
        description="builtin://NAME for shipped weights, or a path of a safetensors file that `causalvae train` wrote.",
    )

    @property
    def label(self) -> str:
        """Name of the network in reports."""
        return self.name or DEFAULT_ARCHITECTURE

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return self.weights.startswith(BUILTIN)

    @property
    def declared_latents(self) -> int | None:
        """Number of latents of shipped weights."""
        return builtin_latents(self.weights)

    @property
    def has_usual_parts(self) -> bool:
        """Whether the latent is known to have the usual parts and no other."""
        return self.has_vector

    @classmethod
    def recognise(cls, path: Path) -> tuple[dict[str, Any], ...]:
        """Weights that say how they were trained."""
        from causalvae.models.weights import read_weights, trained_as

        if not path.is_file() or path.suffix != ".safetensors":
            return ()
        return ({},) if trained_as(read_weights(str(path.resolve()), path.parent)) else ()

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.zoo_source import open_zoo

        return open_zoo(self, folder)
