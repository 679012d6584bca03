"""Circuits found in trained networks, next to the smallest ones of the population."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

import causalvae
from causalvae.analyses.discoveries.findings import Discovery
from causalvae.session import Session
from tests.trials.referee.networks import HIDDEN, LATENTS, Trained, make
from tests.trials.referee.truth import Circuit, Draw, Effects, Unit, independent, population, run
from tests.trials.referee.verdicts import Case, open_case, spec_of

TARGET = 0.8
# Where candidates are taken from. The last is for networks whose second layer reads latent 1 around the first.
PLACES = {
    "latent": tuple(("latent", unit) for unit in range(LATENTS)),
    "first": tuple(("first", unit) for unit in range(HIDDEN)),
    "around": (("latent", 1), *(("first", unit) for unit in range(HIDDEN))),
}


@torch.inference_mode()
def kept(effects: Effects, candidates: Sequence[Unit], circuit: Circuit) -> Tensor:
    """What is left of the effect on y in x' if the candidates outside a circuit have their values of x."""
    held: dict[str, list[int]] = {}
    for layer, unit in candidates:
        if (layer, unit) not in circuit:
            held.setdefault(layer, []).append(unit)
    values = {layer: (units, effects.start[layer]) for layer, units in held.items()}
    changed = run(effects.network, effects.other, values)["output"] - effects.start["output"]
    return changed[:, 0].double()


@dataclass(frozen=True)
class Carried:
    """f and D of a circuit in the population."""

    share: float
    error: float

    def slack(self, target: float = TARGET) -> float:
        """How far a circuit meets the bounds of a claim of `target`."""
        over = 1 + min(1 - target, 0.3) - self.share
        return min(self.share - target, over, 1 - self.error**2 - 0.7 * target)


def carried(effects: Effects, candidates: Sequence[Unit], circuit: Circuit) -> Carried:
    """f and D of a circuit among candidates."""
    total = torch.from_numpy(effects.total[:, 0])
    left = kept(effects, candidates, circuit)
    square = float((total**2).sum())
    return Carried(float((left * total).sum()) / square, float(((total - left) ** 2).sum() / square) ** 0.5)


def smallest(effects: Effects, candidates: Sequence[Unit], most: int, slack: float = 0.0) -> list[Circuit]:
    """The smallest circuits of at most so many members that meet the bounds by `slack` and more."""
    for size in range(most + 1):
        sets = (frozenset(chosen) for chosen in combinations(candidates, size))
        found = [one for one in sets if carried(effects, candidates, one).slack() > slack]
        if found:
            return found
    return []


@dataclass(frozen=True)
class Finding:
    """What a discovery says, and what is true of it."""

    case: Case
    place: str
    discovery: Discovery
    circuit: Circuit
    truth: Carried
    smaller: tuple[Circuit, ...]

    @property
    def is_sufficient(self) -> bool:
        """Whether the found circuit meets the bounds in the population."""
        return self.truth.slack() > 0


def session_for(session: Session, case: Case, place: str, pairs: int, seed: int, halves: int) -> Session:
    """The session with one circuit to find."""
    sites = [f"{layer}[{unit}]" for layer, unit in PLACES[place]]
    sought = {
        "name": place, "treatment": "rise", "outcome": "y", "target": TARGET, "halves": halves,
        "candidates": "latents" if place == "latent" else "units", "sites": sites,
    }  # fmt: skip
    spec = spec_of(case, [], 24, seed, discoveries={"circuits": [sought], "pairs": pairs})
    return replace(session, declared=spec, spec=spec)


def find(session: Session) -> Discovery:
    """What `causalvae discover` finds."""
    with TemporaryDirectory() as folder:
        result: Discovery = causalvae.run_analysis(session, "discoveries", folder).circuits[0]
        return result


def findings(case: Case, pairs: int, draws: int, halves: int = 10, draw: Draw = independent) -> Iterator[Finding]:
    """The circuits found at each place of a network, over some draws of pairs."""
    network: Trained = make(**case.arguments)
    effects = population(network, draw, seed=20_000 + case.seed, n=4000)
    session = open_case(case)
    for place, candidates in PLACES.items():
        if (place == "around") != case.apart and place != "latent":
            continue
        for k in range(draws):
            found = find(session_for(session, case, place, pairs, 1000 * case.seed + k, halves))
            circuit = frozenset(
                (part.site, unit) for part in found.circuit for unit in getattr(part, "units", None) or ()
            )
            known = carried(effects, candidates, circuit)
            fewer = smallest(effects, candidates, len(circuit) - 1, 0.1) if circuit else []
            yield Finding(case, place, found, circuit, known, tuple(fewer))


def rng_of(case: Case) -> np.random.Generator:
    """A generator for a case."""
    return np.random.default_rng([case.seed, len(case.rule), case.apart])
