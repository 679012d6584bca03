"""Measured spin configurations as a data set whose field and sector can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from causalvae.data.factors import Factor, FactorSpace, FloatArray, IntArray, Rows
from causalvae.data.others import Others
from causalvae.spec.columns import Columns
from causalvae_neighbours.quantum.names import SECTORS
from causalvae_neighbours.quantum.spin_chain import Chain, solve_chain

if TYPE_CHECKING:
    from torch import Tensor


class IsingDataset:
    """Measured configurations of chains at several fields; factors ``field`` and ``sector``.

    Parameters
    ----------
    spins : int
    lowest, highest : float
        Of the fields, above 0.
    levels : int
        Number of fields, evenly spaced and equally likely.

    Notes
    -----
    A row is (level of the field, sector, u_2 ... u_N) with each u uniform over [0, 1): spin i is that of the first
    where u_i falls below the probability that the spins before it give to agreement in its place. So one measurement
    is N draws in turn, each by the inverse of its distribution function, and do(field) makes the same draws, from the
    same numbers, on the ground state of another field. Quantum mechanics gives the distribution at each field and so
    every average over do(field); it does not say what *this* measurement would have found at another field, and the
    shared numbers are this data set's own answer: quantities of single pairs depend on it.
    """

    name = "ising"
    columns: Columns | None = None

    def __init__(self, spins: int = 8, lowest: float = 0.2, highest: float = 2.0, levels: int = 10) -> None:
        self.spins = spins
        self.input_shape: tuple[int, ...] = (spins,)
        fields = tuple(np.linspace(lowest, highest, levels).tolist())
        self.space = FactorSpace(
            (
                Factor("field", "ordinal", fields),
                Factor("sector", "categorical", (0.0, 1.0), SECTORS),
            )
        )

    @property
    def chain(self) -> Chain:
        """The ground states, found when they are first asked for."""
        return solve_chain(self.spins, self.space["field"].values)

    @property
    def size(self) -> int | None:
        """None: measurements can be repeated without end."""
        return None

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Rows of `n` measurements, each at a field and in a sector drawn uniformly: shape (n, spins + 1)."""
        noise = rng.random((n, self.spins - 1))
        levels = self.space.draw(n, rng)
        return np.concatenate([levels.astype(np.float64), noise], axis=1)

    def values(self, rows: Rows) -> FloatArray:
        """Field and sector (0 up, 1 down) of each row: float array, shape (n, 2)."""
        return self.space.values_of(rows[:, :2].astype(np.int64))

    def configurations(self, rows: Rows) -> IntArray:
        """The spins that each row's measurement finds, 1 up and 0 down: int array, shape (n, spins)."""
        level = rows[:, 0].astype(np.int64)
        found = np.ones((len(rows), self.spins), np.int64)
        spelled = np.zeros(len(rows), np.int64)
        for place, conditional in enumerate(self.chain.conditionals):
            spin = (rows[:, 2 + place] < conditional[level, spelled]).astype(np.int64)
            found[:, place + 1] = spin
            spelled = spelled + (spin << place)
        turned = rows[:, 1:2].astype(np.int64)
        return found ^ turned

    def inputs(self, rows: Rows) -> Tensor:
        """The spins of each row, 1 up and 0 down: float32 tensor, shape (n, spins)."""
        import torch

        return torch.from_numpy(self.configurations(rows)).to(torch.float32)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others = "hold") -> Rows:
        """The same measurements with `factor` at the level nearest to each of `values`, shape (n,).

        Neither factor makes the other, so `others` changes nothing.
        """
        column = self.space.position(factor)
        changed = np.array(rows, dtype=np.float64)
        changed[:, column] = self.space[factor].levels_at(np.asarray(values, dtype=np.float64))
        return changed

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What is measured on each row's spins, as +1 and -1: see `measure_spins`."""
        return measure_spins(2.0 * self.configurations(rows).astype(np.float64) - 1.0)

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        fields = self.space["field"].values
        return {
            "source": "ising",
            "origin": "ground states of the transverse-field Ising ring, diagonalised exactly by this package",
            "spins": self.spins,
            "fields": f"{len(fields)} from {fields[0]:g} to {fields[-1]:g} couplings",
            "measured": "every spin along z",
            "do(field)": "the same uniform numbers, spin by spin, on the other ground state",
            "factors": ", ".join(f"{factor.name} ({factor.size})" for factor in self.space.factors),
            "input_shape": list(self.input_shape),
        }


def measure_spins(spins: FloatArray) -> dict[str, FloatArray]:
    """Observables of configurations of a ring, `spins` of shape (n, N) with entries in [-1, 1].

    - ``magnetisation``: the mean spin;
    - ``order``: its size, the finite chain's order parameter;
    - ``alignment``: the mean product of neighbours.
    """
    magnetisation = spins.mean(axis=1)
    return {
        "magnetisation": magnetisation,
        "order": np.abs(magnetisation),
        "alignment": (spins * np.roll(spins, -1, axis=1)).mean(axis=1),
    }
