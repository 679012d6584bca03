"""Ten claims at once that are exactly on their bound: how often is any of them decided?

A claim that a share is at least its true value is the least favourable null of both decisions: supporting it on less
evidence than the level allows is an error, and so is refuting it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import torch

from benchmarks.circuits.networks import TREATMENT, Network, claim, verdicts
from benchmarks.circuits.store import Job, Row

CLAIMS = 10
SUPPORTED, REFUTED = "any supported", "any refuted"
# In half of the pairs latent 0 carries the effect, in the others latent 1: shares differ from pair to pair.
NETWORK = Network("context")
_DRAWS = 500_000


@cache
def share_of_latent_0() -> float:
    """The share of the effect that latent 0 carries in the population, to about 0.0005: from 500,000 draws."""
    spec = NETWORK.spec(24, 0)
    vae = NETWORK.open(spec).model.vae
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.random((_DRAWS, 3))).float()
    inputs[:, 1] = (inputs[:, 1] < 0.5).float()
    other = inputs.clone()
    rising = np.sort(rng.random((_DRAWS, 2)), axis=1)
    inputs[:, 0], other[:, 0] = torch.from_numpy(rising.T).float()
    with torch.inference_mode():
        latents, changed = vae.encode(inputs).mean, vae.encode(other).mean
        start = vae.decode(latents)[:, 0].double()
        total = vae.decode(changed)[:, 0].double() - start
        latents[:, 0] = changed[:, 0]
        carried = vae.decode(latents)[:, 0].double() - start
    return float((carried * total).sum() / (total**2).sum())


def _judge(seed: int, pairs: int) -> list[Row]:
    names = [f"{TREATMENT}_{number}" for number in range(CLAIMS)]
    bound = {"mediated_share": {"at_least": share_of_latent_0()}, "special": False}
    asked = [claim(f"on_{name}", ["latent[0]"], bound, treatment=name, null={"circuits": "none"}) for name in names]
    treatments = [{"name": name, "input": {"factor": "t"}} for name in names]
    judged = verdicts(NETWORK, asked, pairs, seed, together=True, interventions=treatments)
    found = {verdict.status for verdict in judged}
    return [
        Row("families", NETWORK.circuit, "", seed, pairs, error, "yes" if status in found else "no")
        for error, status in ((SUPPORTED, "supported"), (REFUTED, "refuted"))
    ]


def jobs(seeds: int, pairs: int) -> Iterator[Job]:
    """One for each seed: ten treatments with pairs of their own, and a claim about each."""
    for seed in range(seeds):
        yield Job(("families", NETWORK.circuit, "", seed, pairs), partial(_judge, seed, pairs))
