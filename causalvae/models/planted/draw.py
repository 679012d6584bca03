"""From a model section to the matrices of its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalvae.errors import CausalVAEError
from causalvae.models.planted.blueprint import Blueprint, orthogonal
from causalvae.models.planted.circuits import CIRCUITS, draw_circuit
from causalvae.models.planted.codes import CODES, Code, draw_code

if TYPE_CHECKING:
    from causalvae.models.kinds.compiled import CompiledModel

_FEWEST_COLUMNS = 3


def draw(section: CompiledModel, columns: int) -> Blueprint:
    """The network of a ``source: compiled`` section, for a table of this many columns.

    Raises
    ------
    CausalVAEError
        CV130 where the table has too few columns, or too many for the latents.
    """
    if section.circuit is not None:
        recipe = CIRCUITS[section.circuit]
        _check_columns(section, columns, len(recipe.members) + columns - 1)
        blueprint = draw_circuit(recipe, section.latents, columns)
    else:
        blueprint = draw_code(code_of(section, columns))
    matrix = np.eye(section.declared_latents)
    if section.rotate is not None:
        matrix[: section.latents, : section.latents] = orthogonal(section.latents, section.rotate)
    blueprint = blueprint.with_latents(np.zeros((section.dead, columns)), dead=True)
    if section.loud is not None:
        loud = np.zeros((section.loud.count, columns))
        loud[:, 0] = section.loud.scale
        blueprint = blueprint.with_latents(loud, dead=False)
    scales = np.ones(section.declared_latents)
    scales[: len(section.scales)] = section.scales
    return blueprint.turned(scales[:, None] * matrix)


def code_of(section: CompiledModel, columns: int) -> Code:
    """The code of a section that names one, before the latents are turned and scaled.

    Raises
    ------
    CausalVAEError
        CV130 where the table has too few columns, or too many for the latents.
    """
    _check_columns(section, columns, columns + 1)
    return CODES[str(section.code)](columns, section.latents)


def _check_columns(section: CompiledModel, columns: int, latents: int) -> None:
    if columns < _FEWEST_COLUMNS:
        raise CausalVAEError(
            "CV130",
            f"a {section.label} network takes tables of at least {_FEWEST_COLUMNS} columns, the data give {columns}.",
            "Declare more variables, such as `u: uniform(0, 1)`.",
            "data",
        )
    if section.latents < latents:
        raise CausalVAEError(
            "CV130",
            f"a {section.label} network of a table of {columns} columns needs {latents} latents, and has "
            f"{section.latents}.",
            f"Write `latents: {latents}`.",
            "model.latents",
        )
