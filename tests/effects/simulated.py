"""Per-pair values of networks whose population effects are known exactly, many data sets at once.

The network decodes Y = z0 + 0.8 z1 + 0.5 z0 z1; its treatment adds d0 to z0 and d1 to z1, and z0 is the mediator.
Latents are normal and d1 is normal with mean 0.5; d0 is either a step between levels of a factor (0.5, 1 or 1.5 with
equal chances: "levels") or exponential with mean 1 ("skewed": heavier in its tails than a factor with bounds can be).
Effects are polynomials in these four, so that a Gaussian quadrature gives their moments exactly. A second network has
three latents that move four attributes by loading x d0 x (1 + normal / 2) each, d0 being shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalvae.effects.mediation import RATIO_FLOOR, PairEffects
from causalvae.effects.modularity import EffectModularity
from causalvae.effects.smooth_intervals import EffectBreadth, EffectEntropy, OneMinusMean, SmoothFunction

FloatArray = npt.NDArray[np.float64]
Steps = Literal["levels", "skewed"]

SD = 1.6
MEANS = ("total_effect", "natural_direct_effect", "natural_indirect_effect", "total_indirect_effect", "interaction")
SHARES = ("mediated_share", "necessity")
RATIOS = ("mediated_share_ratio_of_means", "mediated_share_mean_of_ratios")
LEVELS = np.array([0.5, 1.0, 1.5])
# Latents by attributes: one narrow, one of two, one broad.
LOADINGS = np.array([[1.0, 0.3, 0.1, 0.05], [0.1, 1.0, 1.0, 0.1], [0.3, 0.4, 0.6, 1.0]])
COMMUNITIES = np.array([0, 1, 2]), np.array([0, 1, 1, 2])


@dataclass(frozen=True)
class Ratio:
    """sum numerator / sum denominator over pairs, of shape (data sets, n); a mean without a denominator.

    A `plain` one is reported with the percentile interval at the expanded level.
    """

    truth: float
    numerator: FloatArray
    denominator: FloatArray | None = None
    rooted: bool = False
    plain: bool = False


@dataclass(frozen=True)
class Smooth:
    """A function of means of columns, of shape (data sets, m, n)."""

    truth: float
    columns: FloatArray
    function: SmoothFunction


Simulated = Mapping[str, Ratio | Smooth]


def effects_of(z0: FloatArray, z1: FloatArray, d0: FloatArray, d1: FloatArray) -> PairEffects:
    """The pairs' effects on the outcome, from its definition."""

    def outcome(first: FloatArray, second: FloatArray) -> FloatArray:
        return first + 0.8 * second + 0.5 * first * second

    base, counterfactual = outcome(z0, z1), outcome(z0 + d0, z1 + d1)
    sufficiency, necessity = outcome(z0 + d0, z1), outcome(z0, z1 + d1)
    return PairEffects(
        "area", counterfactual - base, necessity - base, sufficiency - base, counterfactual - necessity
    )  # fmt: skip


def columns_of(effects: PairEffects) -> dict[str, tuple[FloatArray, FloatArray | None]]:
    """Numerator and denominator of every quantity (of an effect size, its square's); pairs lie along the last axis."""
    total = effects.total
    means = (total, effects.direct, effects.indirect, effects.total_indirect, effects.interaction)
    large = np.abs(total) >= RATIO_FLOOR * np.sqrt((total**2).mean(axis=-1, keepdims=True))
    ratios = np.divide(effects.indirect, total, out=np.zeros_like(total), where=large)
    return {
        **{name: (column, None) for name, column in zip(MEANS, means, strict=True)},
        "mediated_share": (effects.indirect * total, total**2),
        "necessity": (effects.total_indirect * total, total**2),
        "mediated_share_ratio_of_means": (effects.indirect, total),
        "mediated_share_mean_of_ratios": (ratios, large.astype(np.float64)),
        "effect_size": (effects.indirect**2 / SD**2, None),
    }


def draw_effects(steps: Steps, shape: tuple[int, ...], rng: np.random.Generator) -> PairEffects:
    """Effects of pairs drawn at random."""
    return effects_of(
        rng.normal(size=shape), rng.normal(size=shape), _steps(steps, shape, rng), rng.normal(0.5, 1, shape)
    )


@cache
def exact_values(steps: Steps) -> dict[str, float]:
    """Every quantity's true value, by quadrature exact for polynomials of degree 11 in each variable.

    The mean of ratios is none; its value is that of eight million pairs, within 0.001.
    """
    normal, normal_weight = np.polynomial.hermite_e.hermegauss(6)
    step, step_weight = np.polynomial.laguerre.laggauss(6) if steps == "skewed" else (LEVELS, np.full(3, 1 / 3))
    normal_weight = normal_weight / normal_weight.sum()
    grid = np.meshgrid(normal, normal, step, 0.5 + normal, indexing="ij")
    weight = np.einsum("i,j,k,l->ijkl", normal_weight, normal_weight, step_weight, normal_weight).ravel()
    effects = effects_of(*(axis.ravel() for axis in grid))
    truth = {
        name: float((weight @ top) / (1.0 if bottom is None else weight @ bottom))
        for name, (top, bottom) in columns_of(effects).items()
    }
    truth["effect_size"] = float(np.sqrt(truth["effect_size"]))
    floor = RATIO_FLOOR * float(np.sqrt(weight @ effects.total**2))
    rng, held, count = np.random.default_rng(99), 0.0, 0
    for _ in range(40):
        drawn = draw_effects(steps, (200_000,), rng)
        large = np.abs(drawn.total) >= floor
        held, count = held + float((drawn.indirect[large] / drawn.total[large]).sum()), count + int(large.sum())
    truth["mediated_share_mean_of_ratios"] = held / count
    return truth


def simulate_mediation(steps: Steps, sets: int, pairs: int, rng: np.random.Generator) -> Simulated:
    """The first network's quantities."""
    truth = exact_values(steps)
    return {
        name: Ratio(truth[name], *columns, rooted=name == "effect_size", plain=name.endswith("mean_of_ratios"))
        for name, columns in columns_of(draw_effects(steps, (sets, pairs), rng)).items()
    }


def simulate_units(steps: Steps, sets: int, pairs: int, rng: np.random.Generator) -> Simulated:
    """The second network's: breadths and a specificity of its latents, and how far they overlap."""
    changes, means = _draw_changes(steps, sets, pairs, rng)
    breadth, entropy = EffectBreadth(4), EffectEntropy(4)
    found: dict[str, Ratio | Smooth] = {
        f"breadth ({name})": Smooth(float(breadth.value(means)[k, 0]), changes[:, k] ** 2, breadth)
        for k, name in enumerate(("narrow", "two", "broad"))
    }
    found["specificity, as entropy"] = Smooth(float(entropy.value(means)[0, 0]), changes[:, 0] ** 2, entropy)
    # Overlaps of three pairs of latents, in [0, 1], that rise and fall together.
    shared = rng.beta(2, 2, (sets, 1, pairs))
    overlaps = shared * rng.beta(1, np.array([1.0, 3.0, 9.0])[:, None], (sets, 3, pairs))
    truth = 1 - 0.5 * (1 / 2 + 1 / 4 + 1 / 10) / 3
    found["activation modularity"] = Smooth(truth, overlaps, OneMinusMean())
    return found


def simulate_graph(steps: Steps, sets: int, pairs: int, rng: np.random.Generator) -> Simulated:
    """The modularity of the second network's graph of effects, for communities that are given."""
    changes, means = _draw_changes(steps, sets, pairs, rng)
    graph = EffectModularity(*COMMUNITIES)
    truth = float(graph.value(means.reshape(1, -1, 1))[0, 0])
    return {"graph modularity": Smooth(truth, changes.reshape(sets, -1, pairs) ** 2, graph)}


def _draw_changes(steps: Steps, sets: int, pairs: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Changes, of shape (sets, latents, attributes, pairs), and their mean squares, (latents, attributes, 1)."""
    d = _steps(steps, (sets, 1, 1, pairs), rng)
    changes = LOADINGS[:, :, None] * d * (1 + rng.normal(size=(sets, *LOADINGS.shape, pairs)) / 2)
    moment = 2.0 if steps == "skewed" else float((LEVELS**2).mean())
    return changes, (LOADINGS**2 * moment * 1.25)[:, :, None]


def simulate_means(sets: int, pairs: int, rng: np.random.Generator) -> Simulated:
    """Means of columns of known shapes."""
    shape = (sets, pairs)
    return {
        "mean of normal": Ratio(1.0, 1 + rng.normal(size=shape)),
        "mean of Laplace": Ratio(0.0, rng.laplace(size=shape)),
        "mean of exponential": Ratio(1.0, rng.exponential(size=shape)),
        "mean of lognormal": Ratio(float(np.exp(0.5)), np.exp(rng.normal(size=shape))),
        "mean, three in ten pairs other than zero": Ratio(0.3, (rng.random(shape) < 0.3) * rng.exponential(size=shape)),
    }


def _steps(steps: Steps, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    return rng.exponential(size=shape) if steps == "skewed" else rng.choice(LEVELS, shape)
