"""Two mixtures of three sources, recorded several times over with each source played softly or loudly.

x(t) = A diag(loudness) s(t) + noise(t): three waves s, two microphones, so that no inverse of A exists (underdetermined
source separation). The sources are a sine, a square wave and a sawtooth of unrelated frequencies. One recording is made
for every combination of the three loudnesses, with the same waves and the same noise, so that what a sample would have
been at another loudness is itself among the recordings: a model that keeps free latents for each sample, and has no
encoder for a new one, has latents for every counterfactual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from causalvae.data.factors import Factor, FactorSpace, FloatArray, IntArray, Rows
from causalvae.data.others import Others
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns
from causalvae_neighbours.half_avae.names import LOUDNESSES, MICROPHONES, SOURCES

if TYPE_CHECKING:
    from torch import Tensor

# Cycles a step, drawn uniformly from each: slow, middle and fast.
_FREQUENCIES = ((0.012, 0.02), (0.035, 0.06), (0.1, 0.17))
# The directions of the three sources between the microphones: a third of a half turn apart, in any order, each off by
# at most this many radians.
_JITTER = 0.25
NOISE = 0.05


class MixturesDataset:
    """Moments of the recordings; the loudness of each source is a factor.

    Parameters
    ----------
    length : int
        Time steps of each recording.
    world : int
        Seed of the waves' frequencies and phases, of the mixing matrix and of the noise.

    Attributes
    ----------
    mixing : float array, shape (2, 3)
        Columns of length 1.
    waves : float array, shape (length, 3)
        The sources at loudness 1: mean 0 and standard deviation 1 over the recording.

    Notes
    -----
    A row is (loudness level of each source, time step). An input holds the two mixtures and, last, the number of the
    sample as a fraction: (recording * length + step + 1/2) / (recordings * length), by which a network finds the
    latents that it keeps for it.
    """

    name = "mixtures"
    columns: Columns | None = None

    def __init__(self, length: int = 256, world: int = 0) -> None:
        if not 16 <= length <= 2**17:
            raise CausalVAEError(
                "CV242",
                f"a recording of {length} steps cannot be made.",
                "Use from 16 to 131072 steps: fewer hold no whole wave, and the number of a sample of more is not "
                "exact in single precision.",
                "data.length",
            )
        self.length = length
        self.world = world
        self.input_shape: tuple[int, ...] = (len(MICROPHONES) + 1,)
        self.space = FactorSpace(tuple(Factor(name, "ordinal", LOUDNESSES) for name in SOURCES))
        rng = np.random.default_rng(world)
        cycles = np.array([rng.uniform(low, high) for low, high in _FREQUENCIES]) * np.arange(length)[:, None]
        turn = (cycles + rng.random(len(SOURCES))) % 1.0
        waves = np.stack(
            [np.sin(2 * np.pi * turn[:, 0]), np.where(turn[:, 1] < 0.5, 1.0, -1.0), 2 * turn[:, 2] - 1], axis=1
        )
        self.waves: FloatArray = (waves - waves.mean(axis=0)) / waves.std(axis=0)
        angle = np.pi * (rng.permutation(3) / 3 + rng.random()) + rng.uniform(-_JITTER, _JITTER, 3)
        self.mixing: FloatArray = np.stack([np.cos(angle), np.sin(angle)])
        self._noise = NOISE * rng.standard_normal((length, len(MICROPHONES)))

    @property
    def recordings(self) -> int:
        """How many recordings there are: one for every combination of loudnesses."""
        return len(self.space)

    @property
    def size(self) -> int | None:
        """Number of moments in all recordings."""
        return self.recordings * self.length

    @property
    def all_rows(self) -> IntArray:
        """Every row, recording by recording and each in the order of time: int array, shape (size, 4)."""
        return self.rows_at(np.arange(self.recordings * self.length))

    def rows_at(self, numbers: IntArray) -> IntArray:
        """Rows of the samples with these numbers: int array, shape (n, 4)."""
        levels = self.space.levels_of(numbers // self.length)
        return np.concatenate([levels, (numbers % self.length)[:, None]], axis=1).astype(np.int64)

    def numbers_of(self, rows: Rows) -> IntArray:
        """The number of each sample, from 0 to size - 1: int array, shape (n,)."""
        return self.space.index_of(rows[:, :-1]) * self.length + rows[:, -1]

    def files_of(self, numbers: IntArray) -> tuple[str, ...]:
        """Nothing: no sample is in a file."""
        return ()

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Rows of `n` moments, drawn uniformly with replacement: int array, shape (n, 4)."""
        return np.concatenate([self.space.draw(n, rng), rng.integers(0, self.length, (n, 1))], axis=1)

    def values(self, rows: Rows) -> FloatArray:
        """Loudness of each source: float array, shape (n, 3)."""
        return self.space.values_of(rows[:, :-1])

    def sources(self, rows: Rows) -> FloatArray:
        """The sources as they are played, loudness times wave: float array, shape (n, 3)."""
        return self.values(rows) * self.waves[rows[:, -1]]

    def mixtures(self, rows: Rows) -> FloatArray:
        """What the microphones record: float array, shape (n, 2)."""
        return self.sources(rows) @ self.mixing.T + self._noise[rows[:, -1]]

    def inputs(self, rows: Rows) -> Tensor:
        """The two mixtures and the sample's number as a fraction: float32 tensor, shape (n, 3)."""
        import torch

        fraction = (self.numbers_of(rows) + 0.5) / (self.recordings * self.length)
        return torch.from_numpy(np.concatenate([self.mixtures(rows), fraction[:, None]], axis=1)).to(torch.float32)

    def intervene(self, rows: Rows, factor: str, values: FloatArray, others: Others = "hold") -> Rows:
        """The same moments of the recordings in which `factor` has the loudness nearest to each of `values`.

        No source makes another, so `others` changes nothing.
        """
        changed = rows.copy()
        changed[:, self.space.position(factor)] = self.space[factor].levels_at(np.asarray(values, dtype=np.float64))
        return changed

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        """What each microphone would record without noise, by the readout of its column."""
        clean = self.sources(rows) @ self.mixing.T
        return {f"column {name}": clean[:, column] for column, name in enumerate(MICROPHONES)}

    def describe(self) -> dict[str, Any]:
        """Facts for a report."""
        return {
            "source": "mixtures",
            "origin": "three waves mixed to two by this package",
            "recordings": self.recordings,
            "steps of each": self.length,
            "noise": f"standard deviation {NOISE:g}; the waves have 1",
            "mixing": "; ".join(", ".join(f"{entry:.2f}" for entry in row) for row in self.mixing),
            "factors": ", ".join(f"{factor.name} ({factor.size})" for factor in self.space.factors),
            "input_shape": list(self.input_shape),
        }
