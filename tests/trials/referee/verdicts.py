"""Verdicts on claims about trained networks, next to what is true of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

import causalvae
from causalvae.circuits import Verdict, judge
from causalvae.effects import open_context
from causalvae.session import Session
from causalvae.spec.schema import Spec
from tests.trials.referee.networks import HIDDEN, LATENTS, RULES, make
from tests.trials.referee.truth import (
    Circuit,
    Claim,
    Draw,
    Effects,
    Right,
    addresses,
    independent,
    numbers,
    population,
    right,
)

SITES: Final = {"latent": LATENTS, "first": HIDDEN, "second": HIDDEN}
WORLD: Final[dict[str, str]] = dict.fromkeys("tsuv", "uniform(0, 1)")


@dataclass(frozen=True)
class Case:
    """A trained network: how it is made, and the world that its data are drawn from."""

    rule: str
    seed: int
    apart: bool = False
    steps: int = 1200
    noise: float = 0.0

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the factory."""
        return {"rule": self.rule, "seed": self.seed, "apart": self.apart, "steps": self.steps, "noise": self.noise}


def spec_of(case: Case, claims: Sequence[dict[str, Any]], pairs: int, seed: int, **sections: Any) -> Spec:
    """A spec about the network of a case."""
    return Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "trained",
            "model": {
                "source": "python",
                "factory": "tests.trials.referee.networks:make",
                "arguments": case.arguments,
                "latent_dim": LATENTS,
                "untrained": True,
                "output": {"activation": "none", "likelihood": "gaussian"},
            },
            "data": {"source": "scm", "world": "table", "variables": WORLD, "samples": pairs, "seed": seed},
            "graph": {
                "factors": ["t"],
                "attributes": {
                    name: {"readout": "column", "index": k} for k, name in enumerate(("y", "ys", "yu", "yv"))
                },
                "edges": ["t -> y"],
            },
            "interventions": [{"name": "rise", "input": {"factor": "t"}}],
            "hypotheses": list(claims),
            "estimation": {"bootstrap": 400, "dowhy": False},
            "alignment": {"samples": 40},
            "execution": {"seed": seed, "controls": False},
            **sections,
        }
    )


def open_case(case: Case) -> Session:
    """The network, loaded and checked."""
    with causalvae.allow_code(True):
        return causalvae.open_session(spec_of(case, [], 64, 0), Path())


def section(name: str, claim: Claim) -> dict[str, Any]:
    """The claim as a spec has it."""
    expect: dict[str, Any] = {}
    for key, bound in (("mediated_share", claim.share), ("necessity", claim.necessity)):
        if bound is not None:
            expect[key] = {"at_least": bound}
    for key, bound in (("off_target", claim.off_target), ("failing", claim.failing), ("equivalent", claim.equivalent)):
        if bound is not None:
            expect[key] = {"at_most": bound}
    if claim.share is not None:
        expect["special"] = claim.special
    if claim.minimal:
        expect["minimal"] = True
    return {
        "name": name, "treatment": "rise", "circuit": list(addresses(claim.circuit)), "outcome": "y", "expect": expect,
        "multiverse": False,
    }  # fmt: skip


def verdicts(session: Session, case: Case, claims: Sequence[Claim], pairs: int, seed: int) -> list[Verdict]:
    """Each claim judged as the only one of its spec."""
    asked = [section(f"h{k}", claim) for k, claim in enumerate(claims)]
    spec = spec_of(case, asked, pairs, seed)
    session = replace(session, declared=spec, spec=spec)
    with TemporaryDirectory() as folder:
        measurements = causalvae.execute(session, causalvae.compile_plan(session), folder)
        alone = [spec.model_copy(update={"hypotheses": (hypothesis,)}) for hypothesis in spec.hypotheses]
        return [judge(open_context(one, measurements, session.whole, session.units), session.graph)[0] for one in alone]


def circuits(effects: Effects, rng: np.random.Generator) -> Iterator[Circuit]:
    """Right, wrong and middling circuits of a network: the best of each layer, parts of them, and random ones."""
    for layer, size in SITES.items():
        alone = [numbers(effects, frozenset({(layer, unit)}), 0.7).share for unit in range(size)]
        order = [int(unit) for unit in np.argsort(alone)[::-1]]
        for length in (1, 2) if layer == "latent" else (1, 3):
            yield frozenset((layer, unit) for unit in order[:length])
        length = int(rng.integers(1, 4))
        yield frozenset((layer, int(unit)) for unit in rng.choice(size, length, replace=False))
    yield frozenset({("latent", 1), ("first", int(rng.integers(HIDDEN)))})


def claims_about(effects: Effects, rng: np.random.Generator) -> list[Claim]:
    """One claim or two about each circuit, with bounds near to what is true as well as far from it."""
    asked = []
    for circuit in circuits(effects, rng):
        found = numbers(effects, circuit, 0.7)
        near = float(np.clip(found.share + rng.choice([-0.15, -0.05, 0.05, 0.15]), 0.1, 0.95))
        share = near if rng.random() < 0.6 else float(rng.choice([0.5, 0.7, 0.9]))
        asked.append(
            Claim(
                circuit,
                share=round(share, 2),
                necessity=round(share, 2) if rng.random() < 0.4 else None,
                off_target=0.2 if rng.random() < 0.3 else None,
                failing=0.15 if rng.random() < 0.2 else None,
                minimal=bool(rng.random() < 0.5),
                special=bool(share >= 0.5 and rng.random() < 0.7),
            )
        )
        asked.append(
            Claim(
                circuit,
                necessity=round(float(np.clip(found.necessity + rng.choice([-0.1, 0.1]), 0.1, 0.95)), 2),
                equivalent=round(max(0.01, abs(found.difference) * float(rng.choice([0.7, 1.4]))), 4),
            )
        )
    return asked


def judged(
    case: Case,
    pairs: int,
    draws: int,
    draw: Draw = independent,
    most: int | None = None,
    pairs_known: int = 8000,
) -> Iterator[tuple[Claim, Right, str]]:
    """Claims about a network, what is true of them, and the verdicts over some draws of pairs.

    `most` claims are tried, and all where it is left out; the truth is that of `pairs_known` pairs.
    """
    network = make(**case.arguments)
    effects = population(network, draw, seed=10_000 + case.seed, n=pairs_known)
    asked = claims_about(effects, np.random.default_rng(case.seed))[:most]
    known = [right(effects, claim, SITES) for claim in asked]
    session = open_case(case)
    for k in range(draws):
        said = verdicts(session, case, asked, pairs, 1000 * case.seed + k)
        yield from ((claim, truth, verdict.status) for claim, truth, verdict in zip(asked, known, said, strict=True))


def cases(seeds: int, first: int = 0) -> Iterator[Case]:
    """Trained networks of all rules."""
    for seed in range(first, first + seeds):
        for rule in RULES:
            for apart in (False, True):
                rng = np.random.default_rng([seed, len(rule), apart])
                yield Case(rule, seed, apart, int(rng.choice([150, 1200])), float(rng.choice([0.0, 0.3])))
