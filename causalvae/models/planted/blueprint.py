"""Matrices of a network with hand-set weights, before anything is a tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Blueprint:
    """A network of tables: z = main x + side x, output = combine f(read z + bias) + direct x.

    Parameters
    ----------
    main, side : float array, shape (latents, columns)
        What latents carry by way of the encoder's main and side units; each column has one of either in every layer.
    read : float array, shape (hidden, latents)
    bias : float array, shape (hidden,)
    combine : float array, shape (columns, hidden)
    activation : {"relu", "square", "none"}
        f.
    direct : float array, shape (columns, columns), optional
        What the decoder reads from the input, in addition to the latents.
    layers : int
        Hidden layers of the encoder.
    dead : int
        How many of the last latents are at their prior.
    axes : float array, shape (latents, latents)
        Column j is the direction that latent j of the circuit's own coordinates has among the latents.
    """

    main: Array
    side: Array
    read: Array
    bias: Array
    combine: Array
    activation: Literal["relu", "square", "none"]
    axes: Array
    direct: Array | None = None
    layers: int = 1
    dead: tuple[int, ...] = ()

    @property
    def code(self) -> Array:
        """What latents carry: float array, shape (latents, columns)."""
        return self.main + self.side

    def with_latents(self, side: Array, dead: bool) -> Blueprint:
        """The same with further latents, `side` of shape (n, columns), that nothing reads."""
        count, latents = len(side), len(self.main)
        axes = np.eye(latents + count)
        axes[:latents, :latents] = self.axes
        return replace(
            self,
            main=np.vstack([self.main, np.zeros_like(side)]),
            side=np.vstack([self.side, side]),
            read=np.hstack([self.read, np.zeros((len(self.read), count))]),
            dead=(*self.dead, *(range(latents, latents + count) if dead else ())),
            axes=axes,
        )

    def turned(self, matrix: Array) -> Blueprint:
        """The same network with latents `matrix` z, of shape (latents, latents); the decoder undoes it."""
        return replace(
            self,
            main=matrix @ self.main,
            side=matrix @ self.side,
            read=self.read @ np.linalg.inv(matrix),
            axes=matrix @ self.axes,
        )


def orthogonal(size: int, seed: int) -> Array:
    """A random orthogonal matrix, shape (size, size): the Q of a QR decomposition with positive diagonal of R.

    Drawn so, it is uniform over the orthogonal group (Mezzadri 2007, Notices of the AMS 54, 592).
    """
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)))


def main_unit(column: int, layer: int, columns: int) -> int:
    """Which unit of a hidden layer of the encoder carries a column to the circuit; layers count from 0.

    The order of units changes from layer to layer, so that a unit's number says nothing of what it carries.
    """
    return (2 * column + layer) % (2 * columns)


def side_unit(column: int, layer: int, columns: int) -> int:
    """Which unit of a hidden layer of the encoder carries a column to what is outside the circuit."""
    return (2 * column + 1 + layer) % (2 * columns)
