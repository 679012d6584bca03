"""Outcomes of candidates that are written down, whose smallest circuits are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray, CircuitEffects, FloatArray
from causalvae.analyses.discoveries.motifs import MemberEffects, couples_of

Outcome = Callable[[FloatArray], FloatArray]


class Function:
    """An outcome of candidates' values, (n, candidates) -> (n,), on pairs of normal values.

    The first candidates rise from 0 to 1 together, as latents that all follow one factor do; the others take
    independent normal values on both sides.
    """

    def __init__(self, outcome: Outcome, candidates: int, carriers: int, n: int = 192, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.base = rng.normal(size=(n, candidates))
        self.other = rng.normal(size=(n, candidates))
        self.base[:, :carriers] = 0.05 * rng.normal(size=(n, carriers))
        self.other[:, :carriers] = 1 + 0.05 * rng.normal(size=(n, carriers))
        self.outcome = outcome
        self.candidates = candidates

    def __call__(self, circuits: BoolArray) -> CircuitEffects:
        """The counterfactual input with every candidate outside a circuit held."""
        clean = self.outcome(self.base)
        total = self.outcome(self.other) - clean
        done = np.stack([self.outcome(np.where(circuit, self.other, self.base)) - clean for circuit in circuits])
        return CircuitEffects(done * total, done**2, total**2)

    def alone(self) -> FloatArray:
        """The share of each candidate alone."""
        return self(np.eye(self.candidates, dtype=bool)).share

    def removed(self) -> FloatArray:
        """The share that is lost without each candidate."""
        return np.asarray(1 - self(~np.eye(self.candidates, dtype=bool)).share)

    def scores(self) -> dict[str, FloatArray]:
        return {"single": self.alone(), "removal": self.removed()}

    def members(self, chosen: list[int]) -> MemberEffects:
        """What motifs are read from; no candidate is computed from another."""
        couples = couples_of(len(chosen))

        def sets(rows: list[list[int]]) -> CircuitEffects:
            circuits = np.zeros((len(rows), self.candidates), dtype=bool)
            for row, some in enumerate(rows):
                circuits[row, some] = True
            return self(circuits)

        singles = sets([[member] for member in chosen])
        return MemberEffects(
            singles=singles,
            couples=couples,
            together=sets([[chosen[i], chosen[j]] for i, j in couples]),
            whole=sets([chosen]),
            without=sets([[other for other in chosen if other != member] for member in chosen]),
            arrows=tuple((member, -1) for member in range(len(chosen))),
            sent=singles,
        )


def carrier(z: FloatArray) -> FloatArray:
    return z[:, 0]


def either(z: FloatArray) -> FloatArray:
    return np.maximum(z[:, 0], z[:, 1])


def both(z: FloatArray) -> FloatArray:
    return np.minimum(z[:, 0], z[:, 1])


def spread(z: FloatArray) -> FloatArray:
    return np.asarray(z[:, :4].mean(axis=1))


def inhibitor(z: FloatArray) -> FloatArray:
    return 1.6 * z[:, 0] - 0.6 * z[:, 1]


def cancelling(z: FloatArray) -> FloatArray:
    return z[:, 0] + 2 * z[:, 1] - 2 * z[:, 2]
