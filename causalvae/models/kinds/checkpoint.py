"""The user's own weights, of a named architecture or of a network that a function makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.architecture_section import ARCHITECTURES, DEFAULT_ARCHITECTURE
from causalvae.spec.markers import Named
from causalvae.spec.model_section import (
    BETWEEN,
    DECODER,
    ENCODER,
    Factory,
    InputRange,
    ModelSection,
    OutputSection,
    PosteriorSection,
)
from causalvae.spec.places import PlaceKind
from causalvae.spec.section import ModestCount

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened

_SIZES = ("hidden", "width")
_OF_A_FACTORY = ("arguments", "encoder", "decoder", "between")


class CheckpointModel(ModelSection):
    """Weights of your own, for an architecture of this package or for a network that a function returns."""

    kind: ClassVar[str] = "checkpoint"
    PLACES: ClassVar[dict[str, PlaceKind]] = {"weights": "file or folder"}

    source: Literal["checkpoint"]
    weights: str = Field(
        min_length=1,
        description="A safetensors file, a .pt or .ckpt that can be read without running code, or a folder of "
        "disentangling-vae with specs.json and model.pt.",
    )
    name: Annotated[str, Named(ARCHITECTURES, lambda kind: bool(kind.head))] | None = Field(
        default=None, description="The architecture; burgess if neither an architecture nor a factory is given."
    )
    factory: Factory | None = Field(
        default=None, description="module:function that returns the network; it runs only if code is allowed."
    )
    arguments: dict[str, Any] = Field(default={}, description="factory: its keyword arguments.")
    encoder: str | None = Field(default=None, description=f"factory: {ENCODER}")
    decoder: str | None = Field(default=None, description=f"factory: {DECODER}")
    between: tuple[str, ...] | None = Field(default=None, description=f"factory: {BETWEEN}")
    latent_dim: ModestCount | None = Field(
        default=None, description="Number of latents; by default read from the weights of a named architecture."
    )
    hidden: tuple[ModestCount, ...] | None = Field(
        default=None,
        min_length=1,
        description="mlp: widths of the encoder's hidden layers; also read from the weights by default.",
    )
    width: ModestCount | None = Field(
        default=None, description="residual, audio: channels of the first level; also read from the weights by default."
    )
    key: str | None = Field(default=None, description="Which entry of the file has the weights, if it has several.")
    prefix: str | None = Field(
        default=None,
        description="A common prefix of the weights' names that is removed, such as `model.`; detected by default.",
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Weights whose names begin with one of these are not read, such as `critic.`."
    )
    posterior: PosteriorSection | None = Field(
        default=None, description="By default chunk and logvar; interleaved for a disentangling-vae folder."
    )
    output: OutputSection | None = Field(default=None, description="By default that of the architecture.")
    input_range: InputRange = (0.0, 1.0)

    @model_validator(mode="after")
    def _one_network(self) -> CheckpointModel:
        if self.name is not None and self.factory is not None:
            raise PydanticCustomError("two_networks", "give either name or factory", {"given": "both"})
        own = () if self.factory else ARCHITECTURES.get(self.name or DEFAULT_ARCHITECTURE).sizes
        for key in _SIZES:
            if getattr(self, key) is not None and key not in own:
                owners = [kind.kind for kind in ARCHITECTURES.usable() if key in kind.sizes]
                raise _foreign(key, " or ".join(f"`name: {owner}`" for owner in owners))
        for key in _OF_A_FACTORY:
            if self.factory is None and getattr(self, key) != type(self).model_fields[key].default:
                raise _foreign(key, "`factory`")
        if self.factory is not None and self.latent_dim is None:
            raise PydanticCustomError("lacks_latents", "a factory's network needs latent_dim")
        return self

    @property
    def label(self) -> str:
        """Name of the network in reports."""
        return self.factory or self.name or DEFAULT_ARCHITECTURE

    @property
    def declared_latents(self) -> int | None:
        """Number of latents, if the spec gives it."""
        return self.latent_dim

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return self.factory is None

    @property
    def modules(self) -> dict[str, str]:
        """Functions to import, by key."""
        return {} if self.factory is None else {"factory": self.factory}

    @classmethod
    def recognise(cls, path: Path) -> tuple[dict[str, Any], ...]:
        """A file of weights, of each architecture that may have them, or a folder of disentangling-vae."""
        if path.is_dir():
            return ({},) if (path / "specs.json").is_file() else ()
        return tuple({"name": kind.kind} for kind in ARCHITECTURES.usable() if kind.head)

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.checkpoint_source import open_checkpoint

        return open_checkpoint(self, folder, tuple(inputs.shape[1:]), inputs, condition)


def _foreign(key: str, owner: str) -> PydanticCustomError:
    return PydanticCustomError("foreign_key", "a key of another network", {"key": key, "owner": owner})
