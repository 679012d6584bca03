"""Base class of the model section of specs; each kind is a module of `causalvae.models.kinds`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, field_serializer

from causalvae.spec.markers import Tagged
from causalvae.spec.places import Placed, PlaceKind
from causalvae.spec.registry import Kind, Registry
from causalvae.spec.section import Flag, Number, Section

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened

Factory = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=500)]
ENCODER = "the method or module that encodes, a dotted path; by default encode or encoder."
DECODER = "the method or module that decodes, a dotted path; by default decode or decoder."
BETWEEN = (
    "methods or modules between the two, in order, such as a codebook; by default found from the network's forward()."
)
InputRange = Annotated[
    tuple[Number, Number], Field(description="The range of the network's inputs; data range over [0, 1].")
]

_Second = Literal["logvar", "var", "std", "log_std"]
_Activation = Literal["none", "sigmoid", "tanh"]


class PosteriorSection(Section):
    """How the output of any encoder is read as a diagonal Gaussian."""

    layout: Literal["auto", "chunk", "interleaved", "heads", "point"] = Field(
        default="auto",
        description="chunk: all means, then the rest; interleaved: means and the rest alternate; heads: two tensors, "
        "mean and second; point: the latents alone, without a variance; auto: as the network's forward() and the "
        "shapes show, else chunk.",
    )
    second: Literal["auto", "logvar", "var", "std", "log_std"] = Field(
        default="auto",
        description="What the encoder returns in addition to the means: log-variance, variance, standard deviation or "
        "its logarithm; auto: as the network's forward() and the names show, else logvar.",
    )

    @property
    def reading(self) -> tuple[Literal["chunk", "interleaved", "heads", "point"], _Second]:
        """Layout and second parameter, with the defaults for a network without forward()."""
        return (
            "chunk" if self.layout == "auto" else self.layout,
            "logvar" if self.second == "auto" else self.second,
        )


class OutputSection(Section):
    """What the decoder's output is."""

    activation: _Activation | None = Field(
        default=None,
        description="The activation that maps the decoder's output to the space of the inputs; none if the decoder "
        "applies it. By default sigmoid, or none if the decoder returns a distribution.",
    )
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"

    def activates(self, is_distribution: bool = False) -> _Activation:
        """The activation of a decoder; the mean of a distribution already lies in the space of the data."""
        return self.activation or ("none" if is_distribution else "sigmoid")

    @field_serializer("activation")
    def _recorded(self, value: _Activation | None) -> _Activation:
        # What is stored is found by digests in which the default is called by its name.
        return value or "sigmoid"


class ModelSection(Kind, Placed, Section):
    """Source of a network, and how its outputs are read.

    Attributes
    ----------
    has_known_shapes : bool
        Whether the shape of the latent is known from the source; else it is found by running the network.
    """

    must_define: ClassVar[tuple[str, ...]] = ("label", "open")
    has_known_shapes: ClassVar[bool] = False
    # Keys that say where a network lies: what lies there is hashed, so a moved file is the same network.
    PLACES: ClassVar[dict[str, PlaceKind]] = {"weights": "file"}

    source: str
    latent: Literal["mean", "sample"] = Field(
        default="mean", description="What the decoder receives: the posterior mean, or a sample with common noise."
    )
    untrained: Flag = Field(
        default=False,
        description="The weights are not meant to reconstruct: a network that does worse than the mean image causes a "
        "warning and is not refused.",
    )
    out_of_distribution: Flag = Field(
        default=False,
        description="The data differ from the training data: a network that does worse than the mean image causes a "
        "warning and is not refused.",
    )

    @property
    def must_reconstruct(self) -> bool:
        """Whether a network that reconstructs the data worse than the mean image is an error."""
        return not (self.untrained or self.out_of_distribution)

    @property
    def label(self) -> str:
        """Name of the network in reports."""
        raise NotImplementedError

    @classmethod
    def recognise(cls, path: Path) -> tuple[dict[str, Any], ...]:
        """Keys of sections that may read what lies at a path, next to `source` and the path, the likeliest first.

        For `causalvae init --from`. It does not run code of the file.
        """
        return ()

    @property
    def declared_latents(self) -> int | None:
        """Number of latents, if the spec gives it."""
        return None

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return False

    @property
    def has_usual_parts(self) -> bool:
        """Whether the latent is known to have the usual parts only."""
        return False

    @property
    def modules(self) -> dict[str, str]:
        """Functions to import, as ``module:function``, by key."""
        return {}

    @property
    def declared(self) -> dict[str, str]:
        """Words for reports if the network need not reconstruct the data."""
        said = {
            "the data": "of another kind than the training data, as declared" if self.out_of_distribution else "",
            "the weights": "not meant to reconstruct, as declared" if self.untrained else "",
        }
        return {name: words for name, words in said.items() if words}

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """Load the network.

        Parameters
        ----------
        folder : Path
            Where relative paths start.
        inputs : Tensor, shape (n, *input_shape)
            Samples of the data.
        condition : int
            Number of last channels (columns) that are a condition.

        Raises
        ------
        CausalVAEError
            If the network cannot be read or made, or differs from the section.
        """
        raise NotImplementedError


MODELS: Final = Registry(ModelSection, "causalvae.models.kinds", "causalvae.models", "model source")
MODEL_TAG: Final = Tagged(MODELS, "source")
AnyModel = Annotated[ModelSection, MODEL_TAG]
