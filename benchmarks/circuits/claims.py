"""True circuits and near misses, claimed to be sufficient, special and minimal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.circuits.networks import Network, claim, verdicts
from benchmarks.circuits.store import Job, Row
from causalvae.models.planted import CIRCUITS

SHARE = {"mediated_share": {"at_least": 0.7}, "minimal": True}
BOTH = {**SHARE, "necessity": {"at_least": 0.7}}
TRUE = "true"
MISSING, TOO_MANY, NEIGHBOUR = "a member missing", "one too many", "a neighbour in place of one"


def networks() -> list[tuple[str, Network]]:
    """One for each circuit, and two with latents in other units and further idle ones; each with what is changed."""
    idle = {"dead": 4, "loud": {"count": 2, "scale": 50.0}, "scales": [20.0, 0.05]}
    changed = "idle latents, other units"
    plain = [("", Network(circuit)) for circuit in CIRCUITS]
    return [*plain, (changed, Network("carrier", idle)), (changed, Network("and", idle))]


def claims_of(network: Network) -> list[dict[str, Any]]:
    """The true claim, and its near misses, at each site where the circuit is known and others could be taken for it."""
    found = []
    known = network.truth
    for site, circuits in known.circuits.items():
        if site.startswith("decoder") or (site != "latent" and network.circuit != "chain"):
            continue
        units = sorted({unit for circuit in circuits for unit in circuit})
        # Next to the last member: another unit that the treatment moves.
        other = 1 if network.circuit == "distractor" else network.members
        if site != "latent":
            other = units[-1] + 1
        sets = {TRUE: units, TOO_MANY: [*units, other], NEIGHBOUR: [*units[:-1], other]}
        if len(units) > 1:
            sets[MISSING] = units[:-1]
        found += [
            claim(
                f"{site.replace('.', '-')}_{number}",
                [f"{site}[{unit}]" for unit in chosen],
                # Of several circuits that are each enough, all together are both sufficient and necessary.
                BOTH if kind == TRUE and len(circuits) > 1 else SHARE,
                claim=kind,
            )
            for number, (kind, chosen) in enumerate(sets.items())
        ]
    return found


def judge_all(part: str, variant: str, network: Network, seed: int, pairs: int) -> list[Row]:
    """The verdicts on all claims about a network, each judged alone."""
    asked = claims_of(network)
    judged = verdicts(network, asked, pairs, seed, together=False)
    return [
        Row(part, network.circuit, variant, seed, pairs, said["claim"], verdict.status, tuple(said["circuit"]))
        for said, verdict in zip(asked, judged, strict=True)
    ]


def jobs(seeds: int, pairs: int) -> Iterator[Job]:
    """One for each network and seed."""
    for seed in range(seeds):
        for variant, network in networks():
            run = partial(judge_all, "claims", variant, network, seed, pairs)
            yield Job(("claims", network.circuit, variant, seed, pairs), run)
