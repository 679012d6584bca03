"""Measurements of a quantum spin chain: the transverse-field Ising model, solved exactly.

The chain of N spins in a ring has the Hamiltonian H = -sum_i Z_i Z_(i+1) - g sum_i X_i, g its transverse field in units
of the coupling. Below g = 1 an infinite chain is ordered, above it disordered (Pfeuty 1970). Ground states are found by
diagonalising H, and a sample is what a measurement of every Z on a fresh ground state gives: spins drawn with the
squared amplitude as their probability (Born's rule).

H commutes with turning every spin over, and its ground state is even under it. So the chain is solved among the
2^(N-1) even combinations of a configuration and its opposite, each named by the one whose first spin is up; which of
the two a measurement finds is an even coin, the data set's factor ``sector``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from causalvae.data.factors import FloatArray, IntArray


def configurations(spins: int) -> IntArray:
    """All configurations whose first spin is up, 1 for up and 0 for down: int array, shape (2^(spins-1), spins).

    Row k has the bits of k in the spins after the first, the lowest bit in the second spin.
    """
    numbers = np.arange(2 ** (spins - 1))
    bits = (numbers[:, None] >> np.arange(spins - 1)) & 1
    return np.concatenate([np.ones((len(numbers), 1), np.int64), bits], axis=1).astype(np.int64)


def solve_ground_state(spins: int, field: float) -> tuple[float, FloatArray]:
    """Energy and amplitudes of the ground state of a ring.

    Parameters
    ----------
    spins : int
        At least 3.
    field : float
        g, above 0.

    Returns
    -------
    energy : float
        In units of the coupling.
    amplitudes : float array, shape (2^(spins-1),)
        Of the even combinations of `configurations`, all positive (Perron and Frobenius), with squares that sum to 1.

    Notes
    -----
    The energy is known in closed form and a test holds the solution against it: -sum_k sqrt(1 + g^2 - 2 g cos k) over
    the momenta k = (2 j + 1) pi / N, j = 0 ... N - 1.
    """
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import eigsh

    signs = 2 * configurations(spins) - 1
    size = len(signs)
    numbers = np.arange(size)
    hamiltonian = diags(-(signs * np.roll(signs, -1, axis=1)).sum(axis=1).astype(np.float64))
    # To turn the first spin over is, in an even combination, to turn over all the others.
    flips = [size - 1, *(1 << bit for bit in range(spins - 1))]
    for flip in flips:
        hamiltonian = hamiltonian - field * csr_matrix((np.ones(size), (numbers, numbers ^ flip)), shape=(size, size))
    energy, amplitudes = eigsh(hamiltonian, k=1, which="SA", v0=np.ones(size))
    return float(energy[0]), np.abs(amplitudes[:, 0])


@dataclass(frozen=True)
class Chain:
    """What a chain's ground states say of its measurements, one for each field.

    Parameters
    ----------
    spins : int
    fields : tuple of float
    energies : float array, shape (n_fields,)
        Of the ground states.
    probabilities : float array, shape (n_fields, 2^(spins-1))
        Of the configurations whose first spin is up, and of their opposites as well, together.
    """

    spins: int
    fields: tuple[float, ...]
    energies: FloatArray
    probabilities: FloatArray

    @property
    def conditionals(self) -> tuple[FloatArray, ...]:
        """Probability that a spin is up given the spins before it, for the second spin, the third, and so on.

        Entry i has shape (n_fields, 2^i): by field, and by the number that the i spins after the first spell.
        """
        found = []
        for known in range(self.spins - 1):
            # Axes: field, bits not yet known (highest first), the bit in question, bits known.
            table = self.probabilities.reshape(len(self.fields), -1, 2, 2**known).sum(axis=1)
            found.append(table[:, 1] / table.sum(axis=1))
        return tuple(found)


@cache
def solve_chain(spins: int, fields: tuple[float, ...]) -> Chain:
    """The ground states of a ring of `spins` spins at each of `fields`."""
    solved = [solve_ground_state(spins, field) for field in fields]
    return Chain(
        spins,
        fields,
        np.array([energy for energy, _ in solved]),
        np.stack([amplitudes**2 for _, amplitudes in solved]),
    )
