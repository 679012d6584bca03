"""The user's own network, made by a function of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

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
from causalvae.spec.section import ModestCount

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened


class PythonModel(ModelSection):
    """A network of your own that a function returns; it runs only if code is allowed (--allow-code)."""

    kind: ClassVar[str] = "python"

    source: Literal["python"]
    factory: Factory = Field(
        description="module:function that returns the network; modules in the folder of the spec file are found too.",
    )
    arguments: dict[str, Any] = Field(default={}, description="Keyword arguments of the function.")
    weights: str | None = Field(
        default=None,
        description="A safetensors file, or a .pt or .ckpt file, to load into the network that the function returns.",
    )
    key: str | None = Field(default=None, description="Which entry of the file has the weights, if it has several.")
    prefix: str | None = Field(
        default=None, description="A common prefix of the weights' names that is removed; detected by default."
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Weights whose names begin with one of these are not read, such as `critic.`."
    )
    encoder: str | None = Field(default=None, description=ENCODER[0].upper() + ENCODER[1:])
    decoder: str | None = Field(default=None, description=DECODER[0].upper() + DECODER[1:])
    between: tuple[str, ...] | None = Field(default=None, description=BETWEEN[0].upper() + BETWEEN[1:])
    latent_dim: ModestCount = Field(description="Number of latents; of a latent map, its channels.")
    posterior: PosteriorSection = PosteriorSection()
    output: OutputSection = OutputSection()
    input_range: InputRange = (0.0, 1.0)

    @property
    def label(self) -> str:
        """Name of the network in reports."""
        return self.factory

    @property
    def declared_latents(self) -> int | None:
        """Number of latents."""
        return self.latent_dim

    @property
    def modules(self) -> dict[str, str]:
        """Functions to import, by key."""
        return {"factory": self.factory}

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.python_source import open_python_model

        return open_python_model(self, folder, inputs, condition)
