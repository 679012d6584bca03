"""Pairs of small networks that the engine has run, and the effects that they have in the whole population.

The data are structural: dose and place are uniform on [0, 1], and do(dose) sets a pair's two doses to the lesser and
the greater of two draws. Of `tests.effects.tiny_networks` the encoder gives z0 = dose, z1 = dose + 0.3 place + noise
and z2 = 0.4 dose + place; "linear" decodes z0 + 2 z1 + z2 / 2, "interacting" z0 + z1 + 3 z0 z1; z1 is the mediator.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import causalvae
from causalvae.effects.mediation import PairEffects, arms_of, pair_effects
from causalvae.effects.outcomes import Outcomes
from causalvae.plan.owner import Owner
from tests.effects.simulated import Ratio, Simulated, columns_of
from tests.effects.tiny_networks import write_tiny

FloatArray = npt.NDArray[np.float64]

KINDS = ("linear", "interacting")
PAIRS = 60_000
# The posterior's standard deviation of z1, from the log-variance that the factory sets.
NOISE = float(np.exp(-2.4 / 2))
# Every pair of the linear network has the same share, and no interaction at all.
CONSTANT = (
    "mediated_share",
    "necessity",
    "mediated_share_ratio_of_means",
    "mediated_share_mean_of_ratios",
    "interaction",
)


@dataclass(frozen=True)
class EngineRun:
    """All pairs that were run, and the population's value of each quantity."""

    effects: PairEffects
    truth: dict[str, float]


def run_network(folder: Path, kind: str, pairs: int = PAIRS) -> EngineRun:
    """Run a network's mediation on `pairs` pairs."""
    path = write_tiny(folder, kind, ["latent[1]"], samples=pairs, estimation={"dowhy": False})
    with causalvae.allow_code(True):
        session = causalvae.open(path)
        plan = causalvae.compile_plan(session)
        measurements = causalvae.execute(session, plan, folder / f"{kind} runs")
    effects = pair_effects(Outcomes(measurements), arms_of(plan, Owner.intervention("via")), "answer")
    return EngineRun(effects, population_values(kind))


def population_values(kind: str) -> dict[str, float]:
    """The population's values, by quadrature exact for polynomials: of the greater dose b, density 2 b, of the lesser
    one's share of it, of place and of the noise."""
    point, weight = np.polynomial.legendre.leggauss(8)
    point, weight = (point + 1) / 2, weight / 2
    noise, noise_weight = np.polynomial.hermite_e.hermegauss(8)
    noise_weight = noise_weight / noise_weight.sum()
    greater, share, place, e = (axis.ravel() for axis in np.meshgrid(point, point, point, NOISE * noise, indexing="ij"))
    mass = np.einsum("i,j,k,l->ijkl", weight * 2 * point, weight, weight, noise_weight).ravel()
    effects = effects_by_hand(kind, greater * share, greater, place, e)
    truth = {}
    for name, (top, bottom) in columns_of(effects).items():
        truth[name] = float((mass @ top) / (1.0 if bottom is None else mass @ bottom))
    truth["effect_size"] = float(np.sqrt(truth["effect_size"]))
    return truth


def effects_by_hand(
    kind: str, dose: FloatArray, other: FloatArray, place: FloatArray, noise: FloatArray
) -> PairEffects:
    """TE, NDE, NIE and TIE of doses `dose` and `other`, from the network's equations."""

    def answer(z0: FloatArray, z1: FloatArray, z2: FloatArray) -> FloatArray:
        return z0 + 2 * z1 + z2 / 2 if kind == "linear" else z0 + z1 + 3 * z0 * z1

    def latents(d: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        return d, d + 0.3 * place + noise, 0.4 * d + place

    (z0, z1, z2), (c0, c1, c2) = latents(dose), latents(other)
    base, counterfactual = answer(z0, z1, z2), answer(c0, c1, c2)
    sufficiency, necessity = answer(z0, c1, z2), answer(c0, z1, c2)
    return PairEffects(
        "answer", counterfactual - base, necessity - base, sufficiency - base, counterfactual - necessity
    )  # fmt: skip


def simulate_engine(run: EngineRun, sets: int, pairs: int, rng: np.random.Generator) -> Simulated:
    """Data sets of pairs drawn from all that were run."""
    chosen = rng.integers(0, run.effects.n, (sets, pairs))
    e = run.effects
    drawn = PairEffects("answer", e.total[chosen], e.direct[chosen], e.indirect[chosen], e.total_indirect[chosen])
    # What is left of these in the linear network is rounding.
    rest = np.abs(e.indirect - run.truth["mediated_share"] * e.total)
    constant = CONSTANT if rest.max() < 1e-5 else ()
    return {
        name: Ratio(run.truth[name], *columns, rooted=name == "effect_size")
        for name, columns in columns_of(drawn).items()
        # The mean of ratios has no polynomial for its truth.
        if name not in (*constant, "mediated_share_mean_of_ratios")
    }
