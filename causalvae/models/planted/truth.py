"""What is true of a network with hand-set weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from causalvae.models.planted.blueprint import Array, main_unit
from causalvae.models.planted.circuits import CIRCUITS, Recipe, Units
from causalvae.models.planted.draw import code_of, draw

if TYPE_CHECKING:
    from causalvae.models.kinds.compiled import CompiledModel

# From which share on a factor's own effect is kept, and from how many standard deviations on another is an effect; see
# docs/alignment.md.
_KEPT, _INVENTED = 0.8, 0.25


@dataclass(frozen=True)
class Truth:
    """The circuit of a network, where the first column rises and all others are held.

    Parameters
    ----------
    at_least : float
        The share of the effect from which a set of units counts as carrying it.
    circuits : mapping of str to tuple of tuple of int
        Site -> all smallest sets of its units that carry the effect. ``latent`` is omitted where latents are rotated.
    edges : tuple of (str, str)
        The connections of the circuit from ``input`` to ``output``; those through latents are omitted where these are
        rotated.
    axes : float array, shape (members, latents)
        Unit vectors: the direction of each member of the circuit among the latents.
    """

    at_least: float
    circuits: Mapping[str, tuple[Units, ...]]
    edges: tuple[tuple[str, str], ...]
    axes: Array

    def addresses(self, site: str = "latent") -> tuple[tuple[str, ...], ...]:
        """The circuits of a site as a hypothesis names them."""
        return tuple(tuple(f"{site}[{unit}]" for unit in units) for units in self.circuits[site])


@dataclass(frozen=True)
class CodeTruth:
    """How a network codes the columns of a table.

    Parameters
    ----------
    encode : float array, shape (latents, columns)
        Latents are encode @ columns.
    decode : float array, shape (columns, latents)
        Outputs are decode @ latents.
    mapping : mapping of int to tuple of int
        Column -> the latents that a spec is to name for it, so that the mapping is right or wrong as declared.
    """

    encode: Array
    decode: Array
    mapping: Mapping[int, tuple[int, ...]]

    @property
    def effects(self) -> Array:
        """Change of each output (row) for a unit change of each column: float array, shape (columns, columns)."""
        return self.decode @ self.encode

    def interchanged(self, column: int) -> Array:
        """Change of each output for that of each column of a donor, if the latents mapped to `column` are the donor's.

        Returns
        -------
        float array, shape (columns, columns)
            Outputs in rows, the donor's columns in columns.
        """
        latents = list(self.mapping[column])
        return self.decode[:, latents] @ self.encode[latents]

    @property
    def lost(self) -> frozenset[int]:
        """Columns whose own output keeps less than 0.8 of their change."""
        return frozenset(np.flatnonzero(np.diag(self.effects) < _KEPT).tolist())

    @property
    def invented(self) -> frozenset[tuple[int, int]]:
        """(column, output of another column) that changes with it by more than 0.25 of its standard deviation."""
        return self._beside(np.abs(self.effects.T))

    @property
    def wrong(self) -> frozenset[tuple[int, int]]:
        """(column, output) that the network has right and the mapping has not.

        The donor is another sample: latents that carry other columns bring these along.
        """
        responses = [self.interchanged(column) for column in range(len(self.effects))]
        kept = {column for column, response in enumerate(responses) if response[column, column] >= _KEPT}
        own = {(column, column) for column in range(len(responses)) if column not in kept | self.lost}
        beside = self._beside(np.stack([np.linalg.norm(response, axis=1) for response in responses]))
        return frozenset(own) | (beside - self.invented)

    def _beside(self, moved: Array) -> frozenset[tuple[int, int]]:
        """Where column (row) moves another output, by changes of columns with equal standard deviations.

        Two independent samples differ by the square root of 2 standard deviations.
        """
        columns, outputs = np.nonzero(np.sqrt(2) * moved > _INVENTED)
        return frozenset((int(a), int(b)) for a, b in zip(columns, outputs, strict=True) if a != b)


def truth(section: CompiledModel, columns: int = 3) -> Truth:
    """The circuit of a section that names one.

    Parameters
    ----------
    section : CompiledModel
    columns : int
        Of the table.

    Raises
    ------
    ValueError
        Where the section names a code.
    CausalVAEError
        CV130 where no such network can be made.
    """
    if section.circuit is None:
        raise ValueError("the section names a code; see code_truth")
    recipe, blueprint = CIRCUITS[section.circuit], draw(section, columns)
    hidden = recipe.hidden or recipe.circuits
    circuits: dict[str, tuple[Units, ...]] = {
        f"encoder.lin{layer + 1}": ((main_unit(0, layer, columns),),) for layer in range(recipe.layers)
    }
    circuits |= {} if section.rotate is not None else {"latent": recipe.circuits}
    circuits["decoder.lin1"] = hidden
    members = sorted({unit for units in recipe.circuits for unit in units})
    axes = blueprint.axes[:, members].T
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    return Truth(recipe.at_least, circuits, _edges(recipe, section.rotate is not None, columns), axes)


def code_truth(section: CompiledModel, columns: int) -> CodeTruth:
    """How a section that names a code codes the columns of a table.

    Raises
    ------
    CausalVAEError
        CV130 where no such network can be made.
    """
    blueprint, code = draw(section, columns), code_of(section, columns)
    mapping = {column: code.mapped(column) for column in range(columns)}
    return CodeTruth(blueprint.code, blueprint.combine @ blueprint.read, mapping)


def _edges(recipe: Recipe, rotated: bool, columns: int) -> tuple[tuple[str, str], ...]:
    chain = ["input", *(f"encoder.lin{layer + 1}[{main_unit(0, layer, columns)}]" for layer in range(recipe.layers))]
    edges = list(pairwise(chain))
    members = sorted({member for circuit in recipe.circuits for member in circuit})
    reading = [
        (member, unit)
        for unit, weights in enumerate(unit.weights for unit in recipe.units if unit.output == 0)
        for member in members
        if member in weights
    ]
    if not rotated:
        edges += [(chain[-1], f"latent[{member}]") for member in members]
        edges += [(f"latent[{member}]", f"decoder.lin1[{unit}]") for member, unit in reading]
    edges += [(f"decoder.lin1[{unit}]", "output") for unit in dict.fromkeys(unit for _, unit in reading)]
    return (*edges, *([("input", "output")] if recipe.direct else []))
