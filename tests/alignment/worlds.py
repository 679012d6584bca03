"""Worlds and networks whose truth is known, and the tables that a run of them writes; nothing but numpy.

A world is a structural model of factors and a reading of attributes. A network encodes factors to latents and decodes
latents to factors, whose attributes are read in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from causalvae.alignment.independencies import IndependenceTester
from causalvae.alignment.variables import Variable, gather_variables
from causalvae.engine.measurements import Measurements
from causalvae.graph import CausalGraph
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Cohort, Contrast, Patch, Plan, Treatment, Use
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import make_source

Factors = dict[str, np.ndarray]
Read = Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]


@dataclass(frozen=True)
class World:
    """Factors in causal order.

    Parameters
    ----------
    mechanisms : mapping
        Factor -> function of the factors before it and of its own noise, uniform over [0, 1).
    reads : mapping
        Attribute -> function of the factors and of its own noise, standard normal.
    kinds : mapping
        Factor -> kind; continuous where left out.
    """

    mechanisms: Mapping[str, Callable[[Factors, np.ndarray], np.ndarray]]
    reads: Mapping[str, Read]
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.mechanisms)

    def values(self, noise: Mapping[str, np.ndarray], fixed: Mapping[str, np.ndarray] | None = None) -> Factors:
        found: Factors = {}
        for name, mechanism in self.mechanisms.items():
            found[name] = fixed[name] if fixed and name in fixed else mechanism(found, noise[name])
        return found

    def read(self, factors: Mapping[str, np.ndarray], noise: Mapping[str, np.ndarray]) -> Factors:
        return {name: read(factors, noise[name]) for name, read in self.reads.items()}


@dataclass(frozen=True)
class Network:
    """Linear in standardised factors: latents = encoder @ factors, factors = decoder @ latents.

    Parameters
    ----------
    encoder : float array, shape (latents, factors)
    decoder : float array, shape (factors, latents)
    mapping : mapping
        Factor -> its latents.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    mapping: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Run:
    spec: Spec
    plan: Plan
    measurements: Measurements
    graph: CausalGraph


def identity(names: Sequence[str], spare: int = 0, mapping: Mapping[str, Sequence[int]] | None = None) -> Network:
    """One latent a factor, and `spare` that nothing reads."""
    k = len(names)
    encoder = np.vstack([np.eye(k), np.zeros((spare, k))])
    return Network(
        encoder, encoder.T.copy(), {name: (i,) for i, name in enumerate(names)} if mapping is None else mapping
    )


def run_world(
    world: World,
    network: Network,
    declared: Sequence[str],
    *,
    pairs: int = 512,
    samples: int = 600,
    seed: int = 0,
    bootstrap: int = 50,
    settable: bool = True,
    **alignment: Any,
) -> Run:
    """What the engine would write: every factor set with all others held, and donors with the factor imposed."""
    names, attributes = world.names, tuple(world.reads)
    spec = Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "planted",
            "model": {"source": "zoo", "weights": "builtin://none"},
            "data": {"source": "dsprites"},
            "graph": {
                "factors": {name: {"kind": world.kinds.get(name, "continuous")} for name in names},
                "attributes": {name: {"readout": "area"} for name in attributes},
                "edges": list(declared),
            },
            "mapping": {
                name: {"components": [f"latent[{i}]" for i in latents]} for name, latents in network.mapping.items()
            },
            "estimation": {"bootstrap": bootstrap, "dowhy": False},
            "alignment": alignment,
        }
    )
    rng = np.random.default_rng([seed, 17])

    def noise_of(n: int) -> Factors:
        return {name: rng.random(n) for name in names} | {name: rng.standard_normal(n) for name in attributes}

    big = world.values(noise_of(4000))
    centre, scale = np.array([big[n].mean() for n in names]), np.array([big[n].std() for n in names])

    def encode(factors: Mapping[str, np.ndarray]) -> np.ndarray:
        return (np.stack([factors[n] for n in names], 1) - centre) / scale @ network.encoder.T

    def decode(latents: np.ndarray, noise: Factors) -> Factors:
        shown = latents @ network.decoder.T * scale + centre
        return world.read({name: shown[:, i] for i, name in enumerate(names)}, noise)

    noise = noise_of(samples)
    observed = world.values(noise)
    on_input, on_output = world.read(observed, noise), decode(encode(observed), noise)
    cohorts = [Cohort("observed", samples, seed)]
    arms: list[Arm] = []
    uses: list[Use] = []
    rows: list[pd.DataFrame] = []
    contrasts: list[Contrast] = []
    tables: list[pd.DataFrame] = []

    def add(owner: str, role: str, arm: Arm, outcome: Factors) -> None:
        uses.append(Use(owner, role, arm.id))
        if arm.id not in {known.id for known in arms}:
            arms.append(arm)
            rows.append(pd.DataFrame({"arm": arm.id, "pair": np.arange(arm.pairs)} | outcome))

    for name in names:
        latents = tuple(network.mapping.get(name, ()))
        if not settable:
            if latents:
                donors = make_source("resample", seed=seed)
                chosen = np.roll(np.arange(samples), 1)
                patched = encode(observed)
                patched[:, latents] = patched[chosen][:, latents]
                owner = Owner("mapping", name)
                add(owner, "base", Arm("observed", "base", (), samples), on_output)
                patch = Patch("latent", latents, donors)
                add(owner, "perturbation", Arm("observed", "base", (patch,), samples), decode(patched, noise))
                contrasts.append(Contrast("observed", name, samples, (), (), donors))
                sides = {"base": observed, "donor": {n: observed[n][chosen] for n in names}}
                tables.append(
                    pd.DataFrame(
                        {"factor": name, "pair": np.arange(samples)}
                        | {f"{side}:factor:{n}": v[n] for side, v in sides.items() for n in names}
                    )
                )
            continue
        own = noise_of(pairs)
        base = world.values(own)
        to = world.values(noise_of(pairs))[name]
        held = {n: to if n == name else base[n] for n in names}
        counterfactual = held
        chosen = np.roll(np.arange(pairs), 1)
        donor = {n: to if n == name else base[n][chosen] for n in names}
        table = {"factor": np.repeat(name, pairs), "pair": np.arange(pairs)}
        for side, values in (("base", base), ("counterfactual", counterfactual), ("donor", donor)):
            table |= {f"{side}:factor:{n}": values[n] for n in names}
            if side != "donor":
                table |= {f"{side}:{a}": v for a, v in world.read(values, own).items()}
        for other in names:
            if other != name:
                fixed = {n: v for n, v in held.items() if n != other}
                table[f"released:{other}"] = world.values(own, fixed)[other]
        tables.append(pd.DataFrame(table))
        cohort = f"do({name})"
        cohorts.append(Cohort(cohort, pairs, seed, Treatment(cohort, name, None, "hold", "as_drawn")))
        source = make_source("randomised", seed=seed, given=name)
        contrasts.append(
            Contrast(cohort, name, pairs, tuple(n for n in names if n != name), (), source if latents else None)
        )
        clean = decode(encode(base), own)
        owner = Owner("network", name)
        add(owner, "base", Arm(cohort, "base", (), pairs), clean)
        add(owner, "counterfactual", Arm(cohort, "counterfactual", (), pairs), decode(encode(counterfactual), own))
        if latents:
            patched = encode(base)
            patched[:, latents] = encode(donor)[:, latents]
            owner = Owner("mapping", name)
            add(owner, "base", Arm(cohort, "base", (), pairs), clean)
            patch = Patch("latent", latents, source)
            add(owner, "perturbation", Arm(cohort, "base", (patch,), pairs), decode(patched, own))
    plan = Plan(
        "planted", spec.digest, "", tuple(cohorts), tuple(arms), tuple(uses), attributes, contrasts=tuple(contrasts)
    )
    observations = pd.DataFrame(
        {"sample": np.arange(samples)}
        | {f"factor:{name}": column for name, column in observed.items()}
        | {f"attribute:{name}": column for name, column in on_output.items()}
        | {f"input:{name}": column for name, column in on_input.items()}
    )
    outcomes = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({"arm": [], "pair": []})
    measurements = Measurements(
        plan,
        pd.DataFrame(),
        outcomes,
        observations,
        contrasts=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"factor": [], "pair": []}),
    )
    return Run(spec, plan, measurements, CausalGraph.from_section(spec.graph))


def variables_of(run: Run, prefix: str = "attribute", **given: Any) -> dict[str, Variable]:
    """Factors and attributes of a run's observed samples."""
    columns = {name: f"{prefix}:{name}" for name in run.graph.attributes}
    measured = replace(run.measurements, **given)
    return gather_variables(run.spec, measured.observations, columns, measured.periods)


def open_tester(run: Run, prefix: str = "attribute") -> IndependenceTester:
    """Tests of independence on a run's observed samples."""
    return IndependenceTester(variables_of(run, prefix))


def _normal(noise: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return np.asarray(ndtri(noise))


def linear_world(edges: Mapping[tuple[str, str], float], names: Sequence[str] = ("a", "b", "c", "d")) -> World:
    """Factors with linear mechanisms of unit variance or so, and an attribute ``yNAME`` for each."""

    def mechanism(child: str) -> Callable[[Factors, np.ndarray], np.ndarray]:
        parents = {parent: weight for (parent, target), weight in edges.items() if target == child}
        rest = np.sqrt(max(0.25, 1 - sum(weight**2 for weight in parents.values())))
        return lambda found, noise: (
            sum((w * found[p] for p, w in parents.items()), np.zeros(len(noise))) + rest * _normal(noise)
        )

    def reader(name: str) -> Read:
        return lambda factors, noise: factors[name] + 0.02 * noise

    return World({name: mechanism(name) for name in names}, {f"y{name}": reader(name) for name in names})


WORLDS = {
    "chain": {("a", "b"): 0.8, ("b", "c"): 0.8},
    "fork": {("a", "b"): 0.8, ("a", "c"): 0.8},
    "collider": {("a", "c"): 0.6, ("b", "c"): 0.6},
}


def edges_of(shape: str) -> list[str]:
    """The true edges of a world, those to its attributes among them."""
    return [f"{p} -> {c}" for p, c in WORLDS[shape]] + [f"{n} -> y{n}" for n in "abcd"]
