"""The spec's model section: which network, and how what it gives is to be read."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.architecture_section import ARCHITECTURES, DEFAULT_ARCHITECTURE
from causalvae.spec.markers import Named
from causalvae.spec.places import PlaceKind
from causalvae.spec.section import Count, Flag, ModestCount, Number, Section

Factory = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=500)]
_SIZES = ("hidden", "width")
_OF_A_FACTORY = ("arguments", "encoder", "decoder", "between")
_ENCODER = "the method or module that encodes, a dotted path; encode or encoder where left out."
_DECODER = "the method or module that decodes, a dotted path; decode or decoder where left out."
_BETWEEN = (
    "methods or modules between the two, in order, such as a codebook; as the network's forward() shows where left out."
)


_Second = Literal["logvar", "var", "std", "log_std"]


class PosteriorSection(Section):
    """How the output of any encoder is read as a diagonal Gaussian."""

    layout: Literal["auto", "chunk", "interleaved", "heads", "point"] = Field(
        default="auto",
        description="chunk: all means, then the rest; interleaved: mean and the rest by turns; heads: two tensors, "
        "mean and second; point: the latents alone, without a variance; auto: as the network's forward() and the "
        "shapes show, else chunk.",
    )
    second: Literal["auto", "logvar", "var", "std", "log_std"] = Field(
        default="auto",
        description="What stands beside the means: log-variance, variance, standard deviation or its logarithm; auto: "
        "as the network's forward() and the names show, else logvar.",
    )

    @property
    def reading(self) -> tuple[Literal["chunk", "interleaved", "heads", "point"], _Second]:
        """Layout and second parameter of a network that has no forward() to show them."""
        return (
            "chunk" if self.layout == "auto" else self.layout,
            "logvar" if self.second == "auto" else self.second,
        )


class OutputSection(Section):
    """What the decoder's output is."""

    activation: Literal["none", "sigmoid", "tanh"] = Field(
        default="sigmoid", description="Turns what the decoder gives into the space of its inputs; none if it does so."
    )
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"


class SourceSection(Section):
    """What every source of a network has in common."""

    # Keys that say where a network lies: what lies there is hashed, so a moved file is the same network.
    PLACES: ClassVar[dict[str, PlaceKind]] = {"weights": "file"}

    source: str
    latent: Literal["mean", "sample"] = Field(
        default="mean", description="What the decoder receives: the posterior mean, or a sample with common noise."
    )
    untrained: Flag = Field(
        default=False,
        description="The weights are not meant to reconstruct: a network that does worse than the mean image is warned "
        "of and not refused.",
    )
    out_of_distribution: Flag = Field(
        default=False,
        description="The data are of another kind than what the network was trained on: a network that does worse than "
        "the mean image is warned of and not refused.",
    )

    @property
    def must_reconstruct(self) -> bool:
        """Whether a network that reconstructs the data worse than the mean image is refused."""
        return not (self.untrained or self.out_of_distribution)

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        raise NotImplementedError

    @property
    def declared_latents(self) -> int | None:
        """Number of latents, where the spec says it."""
        return None

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return False

    @property
    def places(self) -> dict[str, str]:
        """What is read, by key: files, or folders of them, relative to the spec file."""
        named = {key: getattr(self, key) for key in self.PLACES}
        return {key: value for key, value in named.items() if value is not None}

    @property
    def files(self) -> tuple[str, ...]:
        """The same without the keys."""
        return tuple(self.places.values())


class ZooModel(SourceSection):
    """A network and weights that this package ships."""

    source: Literal["zoo"]
    name: Annotated[str, Named(ARCHITECTURES)] | None = Field(
        default=None, description="The architecture; the one that the weights were trained as where left out."
    )
    weights: str = Field(
        min_length=1,
        description="builtin://NAME for shipped weights, or a path of a safetensors file that `causalvae train` wrote.",
    )

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        return self.name or DEFAULT_ARCHITECTURE

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return self.weights.startswith("builtin://")


class CheckpointModel(SourceSection):
    """The user's own weights, of an architecture that this package has, or of a network that a function makes."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"weights": "file or folder"}

    source: Literal["checkpoint"]
    weights: str = Field(
        min_length=1,
        description="A safetensors file, a .pt or .ckpt that can be read without running code, or a folder of "
        "disentangling-vae with specs.json and model.pt.",
    )
    name: Annotated[str, Named(ARCHITECTURES, lambda kind: bool(kind.head))] | None = Field(
        default=None, description="The architecture; burgess where neither it nor a factory is given."
    )
    factory: Factory | None = Field(
        default=None, description="module:function that gives the network; runs only where code is allowed."
    )
    arguments: dict[str, Any] = Field(default={}, description="factory: its keyword arguments.")
    encoder: str | None = Field(default=None, description=f"factory: {_ENCODER}")
    decoder: str | None = Field(default=None, description=f"factory: {_DECODER}")
    between: tuple[str, ...] | None = Field(default=None, description=f"factory: {_BETWEEN}")
    latent_dim: Count | None = Field(
        default=None, description="Number of latents; read off the weights of a named architecture where left out."
    )
    hidden: tuple[ModestCount, ...] | None = Field(
        default=None, min_length=1, description="mlp: widths of the encoder's hidden layers; read off the weights too."
    )
    width: ModestCount | None = Field(
        default=None, description="residual, audio: channels of the first level; read off the weights too."
    )
    key: str | None = Field(
        default=None, description="Which entry of the file holds the weights, where it holds several."
    )
    prefix: str | None = Field(
        default=None,
        description="What the names of the weights begin with, to be left out, such as `model.`; found where left out.",
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="What names begin with that are not read, such as `critic.`."
    )
    posterior: PosteriorSection | None = Field(
        default=None, description="chunk and logvar where left out; interleaved for a disentangling-vae folder."
    )
    output: OutputSection | None = Field(default=None, description="The architecture's own where left out.")
    input_range: tuple[Number, Number] = Field(
        default=(0.0, 1.0), description="What the network's inputs range over; data ranges over [0, 1]."
    )

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
        """What the network is called in reports."""
        return self.factory or self.name or DEFAULT_ARCHITECTURE

    @property
    def declared_latents(self) -> int | None:
        """Number of latents, where the spec says it."""
        return self.latent_dim

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return self.factory is None


def _foreign(key: str, owner: str) -> PydanticCustomError:
    return PydanticCustomError("foreign_key", "a key of another network", {"key": key, "owner": owner})


class PythonModel(SourceSection):
    """The user's own network, made by a function of theirs; runs only where code is allowed (--allow-code)."""

    source: Literal["python"]
    factory: Factory = Field(
        description="module:function that gives the network; modules beside the spec file are found as well.",
    )
    arguments: dict[str, Any] = Field(default={}, description="Keyword arguments of the function.")
    weights: str | None = Field(
        default=None, description="A safetensors file, or a .pt or .ckpt to read into what the function gives."
    )
    key: str | None = Field(
        default=None, description="Which entry of the file holds the weights, where it holds several."
    )
    prefix: str | None = Field(
        default=None, description="What the names of the weights begin with, to be left out; found where left out."
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="What names begin with that are not read, such as `critic.`."
    )
    encoder: str | None = Field(default=None, description=_ENCODER[0].upper() + _ENCODER[1:])
    decoder: str | None = Field(default=None, description=_DECODER[0].upper() + _DECODER[1:])
    between: tuple[str, ...] | None = Field(default=None, description=_BETWEEN[0].upper() + _BETWEEN[1:])
    latent_dim: Count = Field(description="Number of latents; of a latent map, its channels.")
    posterior: PosteriorSection = PosteriorSection()
    output: OutputSection = OutputSection()
    input_range: tuple[Number, Number] = Field(
        default=(0.0, 1.0), description="What the network's inputs range over; data ranges over [0, 1]."
    )

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        return self.factory

    @property
    def declared_latents(self) -> int | None:
        """Number of latents."""
        return self.latent_dim


class PythaeModel(SourceSection):
    """A folder that pythae saved: model_config.json, model.pt and, for networks of the user's own, pickled modules."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder"}

    source: Literal["pythae"]
    path: str = Field(min_length=1, description="The folder, relative to the spec file.")
    input_range: tuple[Number, Number] = Field(
        default=(0.0, 1.0), description="What the network's inputs range over; data ranges over [0, 1]."
    )

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        return "pythae"

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return True


class DiffusersModel(SourceSection):
    """A folder that diffusers saved: config.json and weights of an AutoencoderKL, a VQModel or an AutoencoderTiny."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"path": "folder"}

    source: Literal["diffusers"]
    path: str = Field(
        min_length=1,
        description="The autoencoder's folder or that of a pipeline with vae/ in it, relative to the spec.",
    )
    input_range: tuple[Number, Number] = Field(
        default=(-1.0, 1.0), description="What the network's inputs range over; data ranges over [0, 1]."
    )

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        return "diffusers"


class ExportedModel(SourceSection):
    """An encoder and a decoder that torch.export saved; opening such files can run code (--allow-code)."""

    PLACES: ClassVar[dict[str, PlaceKind]] = {"encoder": "file", "decoder": "file"}

    source: Literal["exported"]
    encoder: str = Field(min_length=1, description="A .pt2 file, from inputs to posterior parameters.")
    decoder: str = Field(min_length=1, description="A .pt2 file, from latents to outputs.")
    latent_dim: Count = Field(description="Number of latents; of a latent map, its channels.")
    posterior: PosteriorSection = PosteriorSection()
    output: OutputSection = OutputSection()
    input_range: tuple[Number, Number] = Field(
        default=(0.0, 1.0), description="What the network's inputs range over; data ranges over [0, 1]."
    )

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        return "exported programs"

    @property
    def declared_latents(self) -> int | None:
        """Number of latents."""
        return self.latent_dim


ModelSection = Annotated[
    ZooModel | CheckpointModel | PythonModel | PythaeModel | DiffusersModel | ExportedModel,
    Field(discriminator="source"),
]

SOURCES: dict[str, type[SourceSection]] = {
    "zoo": ZooModel,
    "checkpoint": CheckpointModel,
    "python": PythonModel,
    "pythae": PythaeModel,
    "diffusers": DiffusersModel,
    "exported": ExportedModel,
}
