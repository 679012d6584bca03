"""Networks with hand-set weights, whose circuits are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.model_section import ModelSection
from causalvae.spec.places import PlaceKind
from causalvae.spec.section import Flag, ModestCount, Section, Seed

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.models.opened import Opened

CircuitName = Literal[
    "carrier",
    "or",
    "and",
    "product",
    "spread",
    "promoter_inhibitor",
    "cancelling_pair",
    "chain",
    "direct_path",
    "distractor",
    "context",
    "failing",
]
CodeName = Literal[
    "identity",
    "rotated",
    "half_rotated",
    "swapped",
    "shifted",
    "partial",
    "overwide",
    "padded",
    "lossy",
    "inventing",
    "child_from_parent",
    "leaky",
]
# More latents than this make networks that are no longer small: a layer of the decoder reads all of them.
_Latents = Annotated[int, Field(strict=True, ge=6, le=1000)]
_Extra = Annotated[int, Field(strict=True, ge=0, le=10_000)]
_Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class LoudSection(Section):
    """Latents that carry the first column and that nothing reads."""

    count: ModestCount = 1
    scale: _Positive = Field(default=100.0, description="What the column is multiplied by.")


class CompiledModel(ModelSection):
    """A network for tables with hand-set weights, whose circuit or whose code of the factors is known."""

    kind: ClassVar[str] = "compiled"
    has_known_shapes: ClassVar[bool] = True
    PLACES: ClassVar[dict[str, PlaceKind]] = {}

    source: Literal["compiled"]
    circuit: CircuitName | None = Field(
        default=None, description="How the first column of the table reaches the first column of the output."
    )
    code: CodeName | None = Field(default=None, description="How latents carry all columns of the table.")
    latents: _Latents = Field(default=8, description="Latents that depend on the data, or spare latents of a code.")
    dead: _Extra = Field(default=0, description="Further latents that are constant and that nothing reads.")
    loud: LoudSection | None = Field(
        default=None, description="Further latents that carry the first column and that nothing reads."
    )
    rotate: Seed | None = Field(
        default=None,
        description="Seed of an orthogonal matrix by which the latents, without the further ones, are multiplied.",
    )
    scales: tuple[_Positive, ...] = Field(
        default=(), description="Units of the latents, in order: the factor by which each is multiplied; by default 1."
    )
    untrained: Flag = Field(
        default=True, description="These networks compute functions of the inputs and do not have to reconstruct them."
    )

    @model_validator(mode="after")
    def _one_network(self) -> CompiledModel:
        if (self.circuit is None) == (self.code is None):
            given = "none" if self.circuit is None else "both are"
            raise PydanticCustomError(
                "one_of", "give exactly one of circuit and code", {"given": given, "choices": "circuit, code"}
            )
        if len(self.scales) > self.declared_latents:
            raise PydanticCustomError(
                "apart",
                "there are {scales} scales and {latents} latents",
                {
                    "scales": len(self.scales),
                    "latents": self.declared_latents,
                    "advice": "Write one number for each latent at most.",
                },
            )
        return self

    @property
    def label(self) -> str:
        """What the network is called in reports."""
        return f"compiled {self.circuit or self.code}"

    @property
    def declared_latents(self) -> int:
        """Number of latents."""
        return self.latents + self.dead + (0 if self.loud is None else self.loud.count)

    @property
    def has_vector(self) -> bool:
        """Whether the latent is known to be a vector before the network is loaded."""
        return True

    @property
    def has_usual_parts(self) -> bool:
        """Whether the latent is known to have the usual parts and no other."""
        return True

    def open(self, folder: Path, inputs: Tensor, condition: int) -> Opened:
        """The network in memory."""
        from causalvae.models.planted.network import open_compiled

        return open_compiled(self, tuple(inputs.shape[1:]))
