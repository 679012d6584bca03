"""Circuits from the first column of a table to the first column of the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from causalvae.models.planted.blueprint import Array, Blueprint

Units = tuple[int, ...]
# Share of the effect that passes through latents outside the circuit: a real network is never quite clean.
LEAK: Final = 0.02
_DIRECT = 0.2


@dataclass(frozen=True)
class Unit:
    """A hidden unit of the decoder: gain * f(weights of latents + bias) is added to an output."""

    weights: Mapping[int, float]
    gain: float = 1.0
    bias: float = 0.0
    output: int = 0


@dataclass(frozen=True)
class Recipe:
    """A circuit.

    Parameters
    ----------
    formula : str
        What it computes, of the latents z and the columns t (the first) and s (the second).
    members : tuple of mapping
        What each of the first latents carries: column -> weight.
    units : tuple of Unit
    circuits : tuple of tuple of int
        Smallest sets of latents that carry the effect of t where t rises and all other columns are held.
    hidden : tuple of tuple of int, optional
        The same of the decoder's hidden units; equal to `circuits` if omitted.
    at_least : float
        The share from which a set counts as carrying the effect; a smaller set carries less, or more than 1.2.
    effect : float
        About how much the output changes with t.
    activation : {"relu", "square"}
    direct : float
        Weight of t on the output in addition to the latents.
    layers : int
        Hidden layers of the encoder.
    second : str
        The second column where the circuit depends on it, as an equation of a structural model.
    """

    formula: str
    members: tuple[Mapping[int, float], ...]
    units: tuple[Unit, ...]
    circuits: tuple[Units, ...]
    hidden: tuple[Units, ...] = ()
    at_least: float = 0.8
    effect: float = 1.0
    activation: Literal["relu", "square"] = "relu"
    direct: float = 0.0
    layers: int = 1
    second: str = "uniform(0, 1)"

    @property
    def variables(self) -> dict[str, str]:
        """A structural model of the table that the circuit is meant for, the treated column first."""
        return {"t": "uniform(0, 1)", "s": self.second, "u": "uniform(0, 1)"}


_T, _S = {0: 1.0}, {1: 1.0}
_CARRIER = (Unit({0: 1}),)

CIRCUITS: Final[dict[str, Recipe]] = {
    "carrier": Recipe("z0", (_T,), _CARRIER, ((0,),)),
    # max(a, b) = a + relu(b - a) and min(a, b) = a - relu(a - b), for a of at least 0. Where t rises, one of two equal
    # latents is enough for the larger and does nothing for the smaller.
    "or": Recipe("max(z0, z1)", (_T, _T), (Unit({0: 1}), Unit({1: 1, 0: -1})), ((0,), (1,)), hidden=((0,),)),
    "and": Recipe("min(z0, z1)", (_T, _T), (Unit({0: 1}), Unit({0: 1, 1: -1}, -1)), ((0, 1),), hidden=((0,),)),
    # 4 a b = (a + b)^2 - (a - b)^2
    "product": Recipe(
        "z0 z1",
        (_T, _T),
        (Unit({0: 1, 1: 1}, 0.25), Unit({0: 1, 1: -1}, -0.25)),
        ((0, 1),),
        hidden=((0,),),
        activation="square",
    ),
    "spread": Recipe(
        "(z0 + z1 + z2 + z3) / 4", (_T,) * 4, tuple(Unit({latent: 1}, 0.25) for latent in range(4)), ((0, 1, 2, 3),)
    ),
    "promoter_inhibitor": Recipe(
        "z0 - 0.3 z1", (_T, _T), (Unit({0: 1}), Unit({1: 1}, -0.3)), ((0, 1),), effect=0.7
    ),
    "cancelling_pair": Recipe(
        "z0 - 0.95 z1", (_T, _T), (Unit({0: 1}), Unit({1: 1}, -0.95)), ((0, 1),), effect=0.05
    ),
    "chain": Recipe("z0, after three hidden layers", (_T,), _CARRIER, ((0,),), layers=3),
    "direct_path": Recipe(
        "0.8 z0 + 0.2 t", (_T,), (Unit({0: 1}, 1 - _DIRECT),), ((0,),), at_least=0.7, direct=_DIRECT
    ),
    "distractor": Recipe(
        "z0; z1 moves with it and is read by the second output",
        (_T, {0: 0.9, 1: 0.1}),
        (Unit({0: 1}), Unit({1: 1}, output=1)),
        ((0,),),
    ),
    # A unit at most 1 passes through relu(z - switch) where the switch is 0, and is cut off where it is 1.
    "context": Recipe(
        "z0 if s is 1 else z1",
        (_T, _T, _S),
        (Unit({0: 1, 2: 1}, bias=-1), Unit({1: 1, 2: -1})),
        ((0, 1),),
        second="bernoulli(0.5)",
    ),
    "failing": Recipe(
        "z1 if s is 1 else z0; s is 1 in 5 % of the samples",
        (_T, _T, _S),
        (Unit({0: 1, 2: -1}), Unit({1: 1, 2: 1}, bias=-1)),
        ((0,),),
        second="bernoulli(0.05)",
    ),
}  # fmt: skip


def partner(bystander: int, columns: int) -> int:
    """The column that a latent outside the circuit carries along with the treated one; and the output that reads it."""
    return 1 + bystander % (columns - 1)


def draw_circuit(recipe: Recipe, latents: int, columns: int) -> Blueprint:
    """The network of a circuit: its members, and other latents.

    The j-th latent outside the circuit carries (t + x) / 2, x being another column. It is read by the output of that
    column, and a little (`LEAK`) by the circuit's output.

    Parameters
    ----------
    recipe : Recipe
    latents : int
        At least the members and one for each output but the first.
    columns : int
        Of the table.
    """
    members = len(recipe.members)
    beside = latents - members
    main, side = np.zeros((latents, columns)), np.zeros((latents, columns))
    for latent, carried in enumerate(recipe.members):
        main[latent, list(carried)] = list(carried.values())
    units = list(recipe.units)
    square = recipe.activation == "square"
    for bystander in range(beside):
        latent, column = members + bystander, partner(bystander, columns)
        side[latent, [0, column]] = 0.5
        readers = sum(partner(other, columns) == column for other in range(beside))
        if square:
            units += [Unit({latent: 1}, sign / 4 / readers, sign, column) for sign in (1.0, -1.0)]
            units.append(Unit({latent: 1}, 2 * LEAK * recipe.effect / beside))
        else:
            units += [
                Unit({latent: 1}, 1 / readers, output=column),
                # Cut at a half, so that what it adds differs from pair to pair.
                Unit({latent: 1}, 4 * LEAK * recipe.effect / beside, -0.5),
            ]
    read, bias, combine = np.zeros((len(units), latents)), np.zeros(len(units)), np.zeros((columns, len(units)))
    for row, unit in enumerate(units):
        read[row, list(unit.weights)] = list(unit.weights.values())
        bias[row] = unit.bias
        combine[unit.output, row] = unit.gain
    direct: Array | None = None
    if recipe.direct:
        direct = np.zeros((columns, columns))
        direct[0, 0] = recipe.direct
    return Blueprint(main, side, read, bias, combine, recipe.activation, np.eye(latents), direct, recipe.layers)
