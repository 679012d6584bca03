"""The faithfulness curve: what the best k of the candidates carry, for k from a thousandth to all of them.

f at each k, and three numbers for the whole curve (Mueller et al. 2025, "MIB", arXiv 2504.13151; NDF: arXiv
2509.24808):

    CMD = sum 1/2 dk (|1 - f_1| + |1 - f_2|),   CPR = sum 1/2 dk (f_1 + f_2)

over neighbouring points; 0 is the best CMD. CPR has no ceiling and gives 0.999 to f = 1 everywhere. A circuit that
carries twice the effect in half of the pairs and none in the others has f = 1, which only D tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import Evaluate, IntArray
from causalvae.effects.bootstrap import PairedBootstrap

FRACTIONS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class CurvePoint:
    """One point of the curve.

    Parameters
    ----------
    fraction : float
        Of the candidates.
    size : int
        Candidates: the fraction of them, rounded.
    share, lower, upper : float
        f and its interval.
    error : float
        D.
    ndf : float
        1 - min(|(f(N) - f(C)) / (f(N) - f(nothing))|, 1): 1 where the circuit does as all candidates do.
    """

    fraction: float
    size: int
    share: float
    lower: float
    upper: float
    error: float
    ndf: float


@dataclass(frozen=True)
class Curve:
    """The faithfulness curve of one order of the candidates.

    Parameters
    ----------
    score : str
        The score that orders them.
    points : tuple of CurvePoint
    """

    score: str
    points: tuple[CurvePoint, ...]

    @property
    def cmd(self) -> float:
        """The area between the curve and 1: circuit-model distance."""
        return self._area([abs(1 - point.share) for point in self.points])

    @property
    def cpr(self) -> float:
        """The area below the curve: circuit performance ratio."""
        return self._area([point.share for point in self.points])

    def _area(self, heights: list[float]) -> float:
        return float(np.trapezoid(heights, [point.fraction for point in self.points]))


def measure_curve(evaluate: Evaluate, score: str, order: IntArray, bootstrap: PairedBootstrap) -> Curve:
    """The curve on the pairs that `evaluate` runs.

    Parameters
    ----------
    evaluate : callable
    score : str
    order : int array, shape (candidates,)
        The best first.
    bootstrap : PairedBootstrap
        Over these pairs.
    """
    sizes = [int(np.floor(fraction * len(order) + 0.5)) for fraction in FRACTIONS]
    circuits = np.zeros((len(sizes) + 1, len(order)), dtype=bool)
    for row, size in enumerate(sizes):
        circuits[row, order[:size]] = True
    effects = evaluate(circuits)
    shares = bootstrap.ratio(effects.along, np.broadcast_to(effects.total, effects.along.shape))
    whole, nothing = effects.share[len(sizes) - 1], effects.share[-1]
    return Curve(
        score,
        tuple(
            CurvePoint(
                fraction, sizes[row], float(effects.share[row]), float(shares.lower[row]), float(shares.upper[row]),
                float(effects.error[row]), damage_faithfulness(float(effects.share[row]), float(whole), float(nothing)),
            )
            for row, fraction in enumerate(FRACTIONS)
        ),
    )  # fmt: skip


def damage_faithfulness(share: float, whole: float, nothing: float) -> float:
    """NDF = 1 - min(|(f(N) - f(C)) / (f(N) - f(nothing))|, 1); 1 where all of it flows past the candidates anyway."""
    span = whole - nothing
    if span == 0:
        return 1.0
    return 1 - min(abs((whole - share) / span), 1.0)
