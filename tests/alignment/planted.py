"""Runs whose truth is known: factors on small grids, attributes as given functions of them, and the tables of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from causalvae.engine.measurements import Measurements
from causalvae.graph import CausalGraph
from causalvae.plan.types import Arm, Cohort, Patch, Plan, Source, Treatment, Use
from causalvae.spec.schema import Spec

Mechanism = Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]

LEVELS = {"shape": np.array([1.0, 2.0, 3.0]), "scale": np.linspace(0.5, 1, 6), "x": np.linspace(0, 1, 8)}
DECLARED = ("shape -> area", "scale -> area", "x -> centre")


def area(factors: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
    return 10 * factors["scale"] ** 2 * (1 - 0.25 * (factors["shape"] == 3)) + 0.3 * noise * factors["scale"]


def centre(factors: Mapping[str, np.ndarray], noise: np.ndarray) -> np.ndarray:
    return np.tanh(3 * (factors["x"] - 0.5)) + 0.1 * noise


MECHANISMS: dict[str, Mechanism] = {"area": area, "centre": centre}


@dataclass(frozen=True)
class Run:
    spec: Spec
    plan: Plan
    measurements: Measurements
    graph: CausalGraph


def run_planted(
    *,
    mechanisms: Mapping[str, Mechanism] = MECHANISMS,
    declared: Sequence[str] = DECLARED,
    factors: Sequence[str] = ("shape", "scale", "x"),
    mapped: Sequence[str] | None = None,
    pairs: int = 200,
    samples: int = 600,
    seed: int = 0,
    **alignment: Any,
) -> Run:
    """A run in which doing a factor, or resampling its components, recomputes every attribute with the same noise."""
    rng = np.random.default_rng(seed)
    spec = Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "planted",
            "model": {"source": "zoo", "weights": "builtin://none"},
            "data": {"source": "dsprites"},
            "graph": {
                "factors": list(factors),
                "attributes": {name: {"readout": "area"} for name in mechanisms},
                "edges": list(declared),
            },
            "mapping": {name: f"latent[{i}]" for i, name in enumerate(factors if mapped is None else mapped)},
            "estimation": {"bootstrap": 200},
            "alignment": alignment,
        }
    )

    def draw(n: int) -> dict[str, np.ndarray]:
        return {name: rng.choice(LEVELS[name], n) for name in factors}

    def measure(values: Mapping[str, np.ndarray], noises: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: mechanism(values, noises[name]) for name, mechanism in mechanisms.items()}

    def draw_noise(n: int) -> dict[str, np.ndarray]:
        return {name: rng.standard_normal(n) for name in mechanisms}

    cohorts, arms, uses, rows = [Cohort("observed", samples, seed)], [], [], []

    def add(owner: str, role: str, arm: Arm, outcome: Mapping[str, np.ndarray]) -> None:
        uses.append(Use(owner, role, arm.id))
        if arm not in arms:
            arms.append(arm)
            rows.append(pd.DataFrame({"arm": arm.id, "pair": np.arange(arm.pairs)} | dict(outcome)))

    observed, noise = draw(samples), draw_noise(samples)
    attributes = measure(observed, noise)
    for index, factor in enumerate(factors):
        cohorts.append(Cohort(f"do-{factor}", pairs, seed, Treatment(f"do-{factor}", factor, None, "hold", "as_drawn")))
        values, noises = draw(pairs), draw_noise(pairs)
        other = np.array([rng.choice(LEVELS[factor][LEVELS[factor] != v]) for v in values[factor]])
        owner = f"alignment:input:{factor}"
        add(owner, "base", Arm(f"do-{factor}", "base", (), pairs), measure(values, noises))
        changed = measure(values | {factor: other}, noises)
        add(owner, "counterfactual", Arm(f"do-{factor}", "counterfactual", (), pairs), changed)
        if factor in spec.mapping:
            owner = f"alignment:component:{factor}"
            add(owner, "base", Arm("observed", "base", (), samples), attributes)
            first = {name: column[:pairs] for name, column in observed.items()}
            swapped = first | {factor: np.roll(observed[factor], 1)[:pairs]}
            patch = Patch("latent", (index,), Source("resample", seed=seed))
            response = measure(swapped, {name: column[:pairs] for name, column in noise.items()})
            add(owner, "perturbation", Arm("observed", "base", (patch,), pairs), response)
    plan = Plan("planted", spec.digest, "", tuple(cohorts), tuple(arms), tuple(uses), tuple(mechanisms))
    observations = pd.DataFrame(
        {"sample": np.arange(samples)}
        | {f"factor:{name}": column for name, column in observed.items()}
        | {f"attribute:{name}": column for name, column in attributes.items()}
    )
    measurements = Measurements(plan, pd.DataFrame(), pd.concat(rows, ignore_index=True), observations)
    return Run(spec, plan, measurements, CausalGraph.from_section(spec.graph))
