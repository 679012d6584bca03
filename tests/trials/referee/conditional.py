"""Trained conditional networks: an effect reaches the output through the latents and around them, through the class.

The data have a class, c, that is no column of the table. It moves column 0, t, and the decoding part receives it. So
do(c) with t following has two routes, and what each carries is known from plain passes over many pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

import causalvae
from causalvae.circuits import judge
from causalvae.effects import open_context
from causalvae.session import Session
from causalvae.spec.schema import Spec

COLUMNS: Final = 3
LATENTS: Final = 4
HIDDEN: Final = 16
CIRCUITS: Final = (("latent",), ("latent[0]",), ("label",), ("latent[0]", "label"))
# How far bounds are from the true number.
NEAR: Final = (0.005, 0.02)
Claims = dict[str, tuple[dict[str, Any], bool]]


class Conditional(nn.Module):
    """An encoder of one hidden layer, and a decoder that receives the embedding of a class."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(COLUMNS, HIDDEN)
        self.mean = nn.Linear(HIDDEN, LATENTS)
        self.spread = nn.Linear(HIDDEN, LATENTS)
        self.label = nn.Embedding(2, 3)
        self.first = nn.Linear(LATENTS + 3, HIDDEN)
        self.out = nn.Linear(HIDDEN, COLUMNS)
        nn.init.zeros_(self.spread.weight)
        nn.init.constant_(self.spread.bias, -8.0)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance."""
        hidden = torch.tanh(self.read(x))
        return self.mean(hidden), self.spread(hidden)

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """Three columns, for latents and numbers of classes."""
        return self.out(torch.relu(self.first(torch.cat([z, self.label(y)], 1))))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Output, mean and log-variance."""
        mean, spread = self.encode(x)
        return self.decode(mean + torch.randn_like(mean) * torch.exp(0.5 * spread), y), mean, spread


def make(seed: int) -> Conditional:
    """A network trained so that latents carry (t, t, s, u), and output 0 is a mixture of latent 0 and the class."""
    before = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        own, both = float(torch.rand(1)), float(torch.rand(1)) - 0.5
        network = Conditional()
        adam = torch.optim.Adam(network.parameters(), lr=1e-2)
        for _ in range(400):
            x, y = torch.rand(128, COLUMNS), torch.randint(2, (128,))
            mean, _ = network.encode(x)
            z = torch.where(torch.rand(128, 1) < 0.2, mean.detach(), torch.rand(128, LATENTS))
            wanted = own * z[:, 0] + (1 - own) * 0.4 * y + both * z[:, 0] * y
            right = torch.stack([wanted, z[:, 2], z[:, 3]], 1)
            loss = ((mean - x[:, [0, 0, 1, 2]]) ** 2).mean() + ((network.decode(z, y) - right) ** 2).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        return network.eval()
    finally:
        torch.random.set_rng_state(before)


@dataclass(frozen=True)
class Known:
    """Share, fit and necessity of a circuit in the population."""

    share: float
    fit: float
    necessity: float


@torch.inference_mode()
def truth(network: Conditional, circuit: tuple[str, ...], seed: int, n: int = 20_000) -> Known:
    """By plain passes over `n` pairs of do(c), t following: nothing of the package is used."""
    rng = np.random.default_rng(seed)
    noise, c = rng.random((n, COLUMNS)), rng.integers(2, size=n)

    def inputs(label: Any) -> Tensor:
        x = noise.copy()
        x[:, 0] = 0.6 * noise[:, 0] + 0.4 * label
        return torch.from_numpy(x).float()

    def outcome(own: Any, given: Any, patched: tuple[str, ...]) -> Any:
        """y of the run of class `own`, with the circuit's values in the run of class `given`."""
        z, source, y = network.encode(inputs(own))[0], network.encode(inputs(given))[0], own
        if "latent" in patched:
            z = source
        elif "latent[0]" in patched:
            z = torch.cat([source[:, :1], z[:, 1:]], 1)
        if "label" in patched:
            y = given
        return network.decode(z, torch.from_numpy(np.asarray(y)))[:, 0].double().numpy()

    base, end = outcome(c, c, ()), outcome(1 - c, 1 - c, ())
    total = end - base
    alone, without = outcome(c, 1 - c, circuit) - base, outcome(1 - c, c, circuit) - base
    square = float((total**2).sum())
    fit = 1 - float(((total - alone) ** 2).sum()) / square
    return Known(float((alone * total).sum()) / square, fit, float(((total - without) * total).sum()) / square)


def claims_about(network: Conditional, seed: int) -> Claims:
    """Claims with bounds just under and just above what is true, and whether each is true."""
    found: Claims = {}
    for circuit in CIRCUITS:
        known = truth(network, circuit, seed)
        for off in (*NEAR, *(-near for near in NEAR)):
            base = {"treatment": "flip", "circuit": list(circuit), "outcome": "y", "multiverse": False}
            for kind, number in (("mediated_share", known.share), ("necessity", known.necessity)):
                bound = round(number + off, 4)
                if not 0.05 < bound < 0.95:
                    continue
                name = f"h{len(found)}"
                holds = number >= bound
                expect: dict[str, Any] = {kind: {"at_least": bound}}
                if kind == "mediated_share":
                    expect["special"] = False
                    holds = holds and known.fit >= 0.7 * bound and number <= 1 + min(1 - bound, 0.3)
                found[name] = ({"name": name, **base, "expect": expect}, holds)
    return found


def spec_of(network_seed: int, claims: list[dict[str, Any]], pairs: int, seed: int) -> Spec:
    """A spec about a network."""
    variables = {
        "c": {"levels": {"a": 0.5, "b": 0.5}, "hidden": True},
        "t": "0.6 * uniform(0, 1) + case(c, a=0, b=0.4)",
        "s": "uniform(0, 1)",
        "u": "uniform(0, 1)",
    }
    model = {
        "source": "python", "factory": "tests.trials.referee.conditional:make", "arguments": {"seed": network_seed},
        "latent_dim": LATENTS, "untrained": True, "output": {"activation": "none", "likelihood": "gaussian"},
    }  # fmt: skip
    data = {
        "source": "scm", "world": "table", "variables": variables, "scale": "none", "condition": ["c"],
        "samples": pairs, "seed": seed,
    }  # fmt: skip
    return Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": "conditional",
            "model": model,
            "data": data,
            "graph": {"factors": ["c"], "attributes": {"y": {"readout": "column", "index": 0}}, "edges": ["c -> y"]},
            "interventions": [{"name": "flip", "input": {"factor": "c", "others": "propagate"}}],
            "hypotheses": claims,
            "estimation": {"bootstrap": 400, "dowhy": False},
            "alignment": {"samples": 40},
            "execution": {"seed": seed, "controls": False},
        }
    )


def open_network(seed: int) -> Session:
    """The network, loaded and checked."""
    with causalvae.allow_code(True):
        return causalvae.open_session(spec_of(seed, [], 64, 0), Path())


def judged(seed: int, pairs: int, draws: int) -> Iterator[tuple[bool, str]]:
    """Whether each claim about a network is true, and its verdict, over draws of pairs."""
    claims, session = claims_about(make(seed), 10_000 + seed), open_network(seed)
    for draw in range(draws):
        spec = spec_of(seed, [claim for claim, _ in claims.values()], pairs, 1000 * seed + draw)
        session = replace(session, declared=spec, spec=spec)
        with TemporaryDirectory() as folder:
            measurements = causalvae.execute(session, causalvae.compile_plan(session), folder)
            for hypothesis in spec.hypotheses:
                alone = spec.model_copy(update={"hypotheses": (hypothesis,)})
                context = open_context(alone, measurements, session.whole, session.units)
                yield claims[hypothesis.name][1], judge(context, session.graph)[0].status
