"""Codes of a table's columns in latents, and the mapping from columns to latents that each puts to the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from causalvae.models.planted.blueprint import Array, Blueprint, orthogonal

# The seed of the rotated code; `rotate` gives other matrices.
_SEED = 0


@dataclass(frozen=True)
class Code:
    """Latents of a table, and the output as the decoder computes it from them.

    Parameters
    ----------
    encode : float array, shape (latents, columns)
    decode : float array, shape (columns, latents)
    mapping : mapping of int to tuple of int
        Column -> the latents that a spec is to name for it, where these are not the latent of the same number.
    """

    encode: Array
    decode: Array
    mapping: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def mapped(self, column: int) -> tuple[int, ...]:
        """The latents that a spec is to name for a column."""
        return self.mapping.get(column, (column,))


Builder = Callable[[int, int], Code]


def _identity(columns: int, latents: int) -> Code:
    return Code(np.eye(latents, columns), np.eye(columns, latents))


def _turned(columns: int, latents: int, matrix: Array) -> Code:
    """The identity in other coordinates of the first latents; the decoder turns them back."""
    encode = np.zeros((latents, columns))
    encode[:columns] = matrix
    return Code(encode, np.asarray(np.linalg.pinv(encode), dtype=np.float64))


def _rotated(columns: int, latents: int) -> Code:
    return _turned(columns, latents, orthogonal(columns, _SEED))


def _half_rotated(columns: int, latents: int) -> Code:
    matrix = np.eye(columns)
    matrix[np.ix_([0, 2], [0, 2])] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    return _turned(columns, latents, matrix)


def _swapped(columns: int, latents: int) -> Code:
    return _turned(columns, latents, np.eye(columns)[[1, 0, *range(2, columns)]])


def _shifted(columns: int, latents: int) -> Code:
    encode = np.eye(latents, columns, -1)
    return Code(encode, encode.T.copy())


def _partial(columns: int, latents: int) -> Code:
    code = _identity(columns, latents)
    code.encode[columns, 0] = 1
    code.decode[0, [0, columns]] = 0.5
    return code


def _overwide(columns: int, latents: int) -> Code:
    code = _identity(columns, latents)
    return Code(code.encode, code.decode, {0: (0, 2)})


def _padded(columns: int, latents: int) -> Code:
    code = _identity(columns, latents)
    return Code(code.encode, code.decode, {0: (0, columns)})


def _lossy(columns: int, latents: int) -> Code:
    code = _identity(columns, latents)
    code.encode[1] = 0
    return code


def _inventing(columns: int, latents: int) -> Code:
    code = _identity(columns, latents)
    # In every one of `WORLDS` more than twice what counts as an effect, also among inputs such as the data have.
    code.decode[1, 2] = 1.6
    return code


def _child_from_parent(columns: int, latents: int) -> Code:
    code = _identity(columns, latents)
    code.encode[1] = 0.8 * code.encode[0]
    return code


def _leaky(columns: int, latents: int) -> Code:
    code = _identity(columns, latents)
    code.encode[2, 0] = 0.6
    return code


CODES: Final[dict[str, Builder]] = {
    "identity": _identity,
    "rotated": _rotated,
    "half_rotated": _half_rotated,
    "swapped": _swapped,
    "shifted": _shifted,
    "partial": _partial,
    "overwide": _overwide,
    "padded": _padded,
    "lossy": _lossy,
    "inventing": _inventing,
    "child_from_parent": _child_from_parent,
    "leaky": _leaky,
}


def draw_code(code: Code) -> Blueprint:
    """The linear network of a code."""
    latents, columns = code.encode.shape
    return Blueprint(
        code.encode,
        np.zeros((latents, columns)),
        np.eye(latents),
        np.zeros(latents),
        code.decode,
        "none",
        np.eye(latents),
    )
