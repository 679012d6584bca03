"""The torch modules of a network with hand-set weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from causalvae.digest import digest
from causalvae.errors import CausalVAEError
from causalvae.models.opened import Opened
from causalvae.models.perceptron import Perceptron
from causalvae.models.planted.blueprint import Array, Blueprint, main_unit, side_unit
from causalvae.models.planted.draw import draw
from causalvae.models.vae import VAE

if TYPE_CHECKING:
    from causalvae.models.kinds.compiled import CompiledModel

# Changes with what the same section computes: stored results belong to one version.
_VERSION = 1
# Log-variance of latents that are read: a sample of the posterior is its mean, to 1 in 400.
_SURE = -12.0


class Decoder(nn.Module):
    """A hidden layer, and the outputs as sums of its units.

    Parameters
    ----------
    latents, hidden, outputs : int
    activation : {"relu", "square", "none"}
    direct : bool
        Whether it reads the input as well.
    """

    def __init__(
        self, latents: int, hidden: int, outputs: int, activation: Literal["relu", "square", "none"], direct: bool
    ) -> None:
        super().__init__()
        self.lin1 = nn.Linear(latents, hidden)
        self.head = nn.Linear(hidden, outputs)
        self.direct = nn.Linear(outputs, outputs, bias=False) if direct else None
        self._activation = activation

    def forward(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        """Outputs of shape (batch, outputs); `x` has that shape as well."""
        hidden = self.lin1(z)
        if self._activation == "relu":
            hidden = torch.relu(hidden)
        elif self._activation == "square":
            hidden = hidden.square()
        output: Tensor = self.head(hidden)
        return output if self.direct is None else output + self.direct(x)


def open_compiled(section: CompiledModel, input_shape: tuple[int, ...]) -> Opened:
    """Make the network of a ``source: compiled`` section.

    Parameters
    ----------
    section : CompiledModel
    input_shape : tuple of int
        Of the data.

    Raises
    ------
    CausalVAEError
        CV130 where the data are no table, or one of too few or too many columns.
    """
    if len(input_shape) != 1:
        raise CausalVAEError(
            "CV130",
            f"a {section.label} network takes rows of a table, the data give inputs of shape {input_shape}.",
            "Write `data: {source: scm, world: table, variables: ...}`, or name another table.",
            "data",
        )
    (columns,) = input_shape
    made = {key: getattr(section, key) for key in ("circuit", "code", "latents", "dead", "rotate", "scales")}
    made["loud"] = None if section.loud is None else section.loud.model_dump()
    facts = {"weights": "set by hand"}
    return Opened(build(draw(section, columns)), digest([_VERSION, columns, made]), facts)


def build(blueprint: Blueprint) -> VAE:
    """The network of a blueprint."""
    latents, columns = blueprint.main.shape
    encoder = Perceptron((columns,), (2 * columns,) * blueprint.layers, (2 * latents,))
    weights: dict[str, Array] = {}
    for layer in range(blueprint.layers):
        before = columns if layer == 0 else 2 * columns
        weight = np.zeros((2 * columns, before))
        for column in range(columns):
            for unit in (main_unit, side_unit):
                source = column if layer == 0 else unit(column, layer - 1, columns)
                weight[unit(column, layer, columns), source] = 1.0
        weights |= {f"lin{layer + 1}.weight": weight, f"lin{layer + 1}.bias": np.zeros(2 * columns)}
    head, last = np.zeros((2 * latents, 2 * columns)), blueprint.layers - 1
    head[:latents, [main_unit(column, last, columns) for column in range(columns)]] = blueprint.main
    head[:latents, [side_unit(column, last, columns) for column in range(columns)]] = blueprint.side
    variance = np.full(latents, _SURE)
    # A dead latent is at the prior: its KL is 0.
    variance[list(blueprint.dead)] = 0.0
    weights |= {"head.weight": head, "head.bias": np.concatenate([np.zeros(latents), variance])}
    encoder.load_state_dict(_tensors(weights))

    decoder = Decoder(latents, len(blueprint.read), columns, blueprint.activation, blueprint.direct is not None)
    weights = {
        "lin1.weight": blueprint.read,
        "lin1.bias": blueprint.bias,
        "head.weight": blueprint.combine,
        "head.bias": np.zeros(columns),
    }
    if blueprint.direct is not None:
        weights["direct.weight"] = blueprint.direct
    decoder.load_state_dict(_tensors(weights))
    return VAE(
        encoder, decoder, latents, (columns,), activation="none", likelihood="gaussian",
        decoder_reads_input=blueprint.direct is not None,
    )  # fmt: skip


def _tensors(weights: dict[str, Array]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(weight).float() for name, weight in weights.items()}
