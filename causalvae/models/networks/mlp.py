"""Linear layers, for inputs of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causalvae.spec.architecture_section import ArchitectureSection, Rows

if TYPE_CHECKING:
    from causalvae.models.vae import VAE


class PerceptronNetwork(ArchitectureSection):
    """Linear layers, for inputs of any shape."""

    kind: ClassVar[str] = "mlp"
    head: ClassVar[str] = "encoder.head.bias"
    sizes: ClassVar[tuple[str, ...]] = ("hidden",)

    architecture: Literal["mlp"]

    @classmethod
    def found_sizes(cls, rows: Rows) -> dict[str, tuple[Any, str]]:
        """Widths of the encoder's hidden layers."""
        widths: list[int] = []
        while (width := rows(f"encoder.lin{len(widths) + 1}.weight")) is not None:
            widths.append(width)
        return {"hidden": (tuple(widths) or None, "encoder.lin1.weight")}

    @classmethod
    def build(cls, described: Mapping[str, Any], input_shape: tuple[int, ...]) -> VAE:
        """The network with fresh weights."""
        from causalvae.models.architectures import common, perceptron

        hidden = described.get("hidden")
        sizes = {} if hidden is None else {"hidden": tuple(hidden)}
        return perceptron(input_shape, **sizes, **common(described))
