"""Base class of the network section of training specs; each kind is a module of `causalvae.models.networks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.markers import Tagged
from causalvae.spec.registry import Kind, Registry
from causalvae.spec.section import ModestCount, StrictSection

if TYPE_CHECKING:
    from causalvae.models.vae import VAE

DEFAULT_ARCHITECTURE: Final = "burgess"
# Keys that every architecture had in the first version, null if unused. Records still contain them, so that earlier
# training runs are recognised.
ONCE_SHARED: Final = ("codes", "condition", "levels", "mechanism", "graph")
_Width = Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)]
Rows = Callable[[str], int | None]


class ArchitectureSection(Kind, StrictSection):
    """The network to train. A kind defines `build`; its field ``architecture: Literal["KIND"]`` selects it.

    Attributes
    ----------
    has_objective : bool
        Whether it has its own objective and is trained by no other.
    draws_weights : bool
        Whether its trainer initialises weights itself, so that `init` is not used.
    head : str
        For weights from elsewhere, the tensor with mean and log-variance of each latent; empty if they cannot be read.
    sizes : tuple of str
        For weights from elsewhere, the keys of `source: checkpoint` that are needed in addition.
    usual_likelihood : {"bernoulli", "gaussian"}
        For weights from elsewhere, the default likelihood.
    """

    must_define: ClassVar[tuple[str, ...]] = ("build",)
    has_objective: ClassVar[bool] = False
    draws_weights: ClassVar[bool] = False
    head: ClassVar[str] = ""
    sizes: ClassVar[tuple[str, ...]] = ()
    usual_likelihood: ClassVar[Literal["bernoulli", "gaussian"]] = "bernoulli"

    architecture: str
    latent_dim: ModestCount = 10
    init: Literal["pytorch", "kaiming"] = Field(
        default="pytorch",
        description="Initial weights: pytorch, each layer's own; kaiming, normal with variance 2 / fan_in (He et al. "
        "2015), with which deep networks without normalisation learn much sooner.",
    )
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        default="bernoulli",
        description="bernoulli: the output is a probability (a sigmoid); gaussian: it is a mean, with no activation.",
    )
    sigma: Literal["learned"] | _Width | None = Field(
        default=None,
        description="Standard deviation of a gaussian likelihood in the data's units, one for all numbers of an "
        "input; by default 1.",
    )

    @field_validator("init")
    @classmethod
    def _drawn_by_the_loop(cls, value: str) -> str:
        if value != "pytorch" and cls.draws_weights:
            raise PydanticCustomError("unused_key", "This architecture has its own initial weights: delete the key.")
        return value

    @field_validator("sigma")
    @classmethod
    def _gaussian_only(cls, value: float | str | None, info: ValidationInfo) -> float | str | None:
        if value is not None and info.data.get("likelihood") == "bernoulli":
            raise PydanticCustomError("unused_key", "Write `likelihood: gaussian`, or delete the key.")
        return value

    @property
    def record(self) -> dict[str, Any]:
        """The section as plain values, as stored with weights."""
        values = self.model_dump(mode="json")
        shared = tuple(ArchitectureSection.model_fields)
        return {key: values.get(key) for key in (*shared, *ONCE_SHARED)} | values

    def from_data(self, dataset: Any) -> dict[str, Any]:
        """Values for `build` that are derived from the data."""
        return {}

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """Make the network with initial weights.

        Parameters
        ----------
        described : mapping
            `record`, updated with `from_data`; keys that older records lack have their defaults.
        input_shape : tuple of int
            Without the batch axis.

        Raises
        ------
        CausalVAEError
            CV115 if the architecture does not accept this input shape.
        """
        raise NotImplementedError

    @classmethod
    def found_sizes(cls, rows: Rows) -> dict[str, tuple[Any, str]]:
        """For weights from elsewhere: the value of each of `sizes` (None if unknown) and the tensor it was read from.

        Parameters
        ----------
        rows : callable
            Maps the name of a tensor to the length of its first axis, or None.
        """
        return {}


class _ArchitectureTag(Tagged):
    def long_form(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the default architecture and drop keys of other architectures that are null in records."""
        whole = {"architecture": DEFAULT_ARCHITECTURE, **value}
        return {key: what for key, what in whole.items() if what is not None or key not in ONCE_SHARED}


ARCHITECTURES: Final = Registry(
    ArchitectureSection, "causalvae.models.networks", "causalvae.architectures", "architecture"
)
ARCHITECTURE_TAG: Final = _ArchitectureTag(ARCHITECTURES, "architecture")
AnyArchitecture = Annotated[ArchitectureSection, ARCHITECTURE_TAG]
