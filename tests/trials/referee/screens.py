"""The first screen of a trained network with which nothing is wrong, and of the same with one planted failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from torch import Tensor, nn

import causalvae
from causalvae.report.analysis_view import views_in
from causalvae.report.blocks import AnswerLine
from causalvae.report.first_screen import first_screen
from causalvae.spec.schema import Spec
from tests.trials.referee.networks import LATENTS, make

UNIFORM: Final = "uniform(0, 1)"


class Faulty(nn.Module):
    """A trained network with a fault beside it."""

    def __init__(self, network: nn.Module, fault: str) -> None:
        super().__init__()
        self.network, self.fault = network, fault

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance."""
        mean, spread = self.network.encode(x)  # type: ignore[operator]
        if self.fault == "scatter":
            # Where u is large, the latent of t does not carry it, and one of v does.
            mean = torch.where(x[:, 2:3] > 0.7, mean.flip(1), mean)
        return mean, spread

    def decode(self, z: Tensor) -> Tensor:
        """Four columns."""
        output: Tensor = self.network.decode(z)  # type: ignore[operator]
        if self.fault == "loses":
            output = torch.cat([output[:, :1], 0 * output[:, 1:2] + 0.5, output[:, 2:]], 1)
        if self.fault == "invents":
            output = torch.cat([output[:, :2], output[:, 2:3] + 0.8 * output[:, 1:2], output[:, 3:]], 1)
        if self.fault == "offset":
            output = output + torch.tensor([0.0, 0.0, 0.0, 0.6])
        if self.fault == "twice":
            output = torch.cat([2 * output[:, :1], output[:, 1:]], 1)
        return output

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Output, mean and log-variance."""
        mean, spread = self.encode(x)
        return self.decode(mean + torch.randn_like(mean) * torch.exp(0.5 * spread)), mean, spread


def make_faulty(seed: int, fault: str = "", rule: str = "one", tied: float = 0.0) -> Faulty:
    """A trained network with a fault; none where it is empty."""
    return Faulty(make(rule, seed, tied=tied), fault).eval()


@dataclass(frozen=True)
class Plant:
    """A failure: what differs from the run with which nothing is wrong, and what the first screen must say.

    Parameters
    ----------
    what : str
    line : str
        Words that begin the line that changes.
    mark : str
        The mark that the line must have.
    words : str
        Words that must be in the line or below it; nothing where empty.
    fault, rule : str
        Of the network.
    keys : mapping
        Sections of the spec, merged at the first depth.
    """

    what: str
    line: str
    mark: str
    words: str = ""
    fault: str = ""
    rule: str = "one"
    keys: Mapping[str, Any] | None = None
    tied: float = 0.0


CLAIM: Final = {"name": "c", "treatment": "rise", "outcome": "y", "multiverse": False}
SUFFICIENT: Final = {"mediated_share": {"at_least": 0.7}}
MAPPING: Final = {"t": "latent[0]", "s": "latent[2]", "u": "latent[3]", "v": "latent[4]"}


def world(tied: float) -> dict[str, str]:
    """Four factors, the second of which follows the first with weight `tied`."""
    equal = dict.fromkeys("tsuv", UNIFORM)
    return equal | {"s": f"{tied:g} * t + {1 - tied:g} * {UNIFORM}"} if tied else equal


def base(seed: int, plant: Plant) -> Spec:
    """A spec with a failure."""
    keys: dict[str, Any] = {
        "spec": "causalvae/v1",
        "name": "screen",
        "model": {
            "source": "python",
            "factory": "tests.trials.referee.screens:make_faulty",
            "arguments": {"seed": seed, "fault": plant.fault, "rule": plant.rule, "tied": plant.tied},
            "latent_dim": LATENTS,
            "untrained": True,
            "output": {"activation": "none", "likelihood": "gaussian"},
        },
        "data": {
            "source": "scm", "world": "table", "variables": world(plant.tied), "samples": 128, "seed": seed,
        },
        "graph": {
            "factors": list("tsuv"),
            "attributes": {
                name: {"readout": "column", "index": k} for k, name in enumerate(("y", "ys", "yu", "yv"))
            },
            "edges": ["t -> y", "s -> ys", "u -> yu", "v -> yv", *(["t -> s"] if plant.tied else [])],
        },
        "mapping": MAPPING,
        "interventions": [
            {"name": "rise", "input": {"factor": "t"}},
            {"name": "via", "mediation": {"treatment": "rise", "mediators": ["$t"], "outcomes": ["y"]}},
        ],
        "hypotheses": [{**CLAIM, "circuit": ["latent[0]"], "expect": SUFFICIENT}],
        "discoveries": {"circuits": [{"name": "d", "treatment": "rise", "outcome": "y", "halves": 4}], "pairs": 64},
        "counterfactuals": {},
        "estimation": {"bootstrap": 400, "dowhy": False},
        "execution": {"seed": seed},
        **(plant.keys or {}),
    }  # fmt: skip
    return Spec.model_validate(keys)


def lines(spec: Spec) -> list[AnswerLine]:
    """The lines of the first screen of a run."""
    with TemporaryDirectory() as folder, causalvae.allow_code(True):
        results = causalvae.run_spec(spec, Path(), folder).results
        answer = first_screen(results, views_in(results))
        return [*answer.found, *answer.certain]


RIGHT: Final = Plant("nothing", "", "")
_GRAPH = {"factors": list("tsuv"), "attributes": {
    name: {"readout": "column", "index": k} for k, name in enumerate(("y", "ys", "yu", "yv"))
}}  # fmt: skip
PLANTS: Final = (
    Plant("an edge too many", "Graph", "✗", "s", keys={
        "graph": {**_GRAPH, "edges": ["t -> y", "s -> y", "s -> ys", "u -> yu", "v -> yv"]}}),
    Plant("an edge too few", "Graph", "✗", "yv", keys={
        "graph": {**_GRAPH, "edges": ["t -> y", "s -> ys", "u -> yu"]}, "mapping": {"t": "latent[0]"}}),
    Plant("the network loses s", "Network", "✗", "loses 1 of 4", fault="loses"),
    Plant("the network invents s -> yu", "Network", "✗", "invents 1 of", fault="invents"),
    Plant("a constant is added to an output", "Network", "?", "does not reproduce yv", fault="offset"),
    Plant("two factors' latents are exchanged", "Mapping", "✗", "missing", keys={
        "mapping": {**MAPPING, "s": "latent[3]", "u": "latent[2]"}}),
    Plant("another factor's latent is mapped too", "Mapping", "✗", "spurious", keys={
        "mapping": {**MAPPING, "s": "latent[2, 3]"}}),
    Plant("the same", "Counterfactuals", "✗", "yv", fault="offset"),
    Plant("two latents share the effect", "2 latents", "✓", "latent[0, 1]", rule="sum"),
    Plant("one of two redundant latents is found", "1 latent", "?", "", rule="either"),
    Plant("the output is doubled", "c", "✓", "by 0.8", fault="twice"),
    Plant("the factors are correlated and nothing is wrong", "Mapping", "✓", "", tied=0.7),
    Plant("the factors are correlated and s is lost", "Network", "✗", "loses 1 of 4", fault="loses", tied=0.7),
    Plant("the latents of a third of the data are turned round", "Mapping", "✗", "interchange", fault="scatter"),
    Plant("a neighbour is claimed", "c", "✗", "", keys={
        "hypotheses": [{**CLAIM, "circuit": ["latent[1]"], "expect": SUFFICIENT}]}),
    Plant("one of two redundant latents is claimed", "c", "?", "", rule="either"),
    Plant("a claim above the truth", "c", "✗", "", rule="sum"),
)  # fmt: skip


def misses(seed: int, plant: Plant) -> str:
    """What is wrong with the first screen; nothing where it says what is right."""
    found = lines(base(seed, plant))
    said = [" ".join((line.text, *map(str, line.details))) for line in found]
    if not plant.line:
        return "; ".join(text for line, text in zip(found, said, strict=True) if line.mark not in "✓•")
    (place,) = [k for k, line in enumerate(found) if line.text.startswith(plant.line)] or [None]
    if place is None:
        return f"no line begins with {plant.line}"
    return (
        "" if found[place].mark == plant.mark and plant.words in said[place] else f"{found[place].mark} {said[place]}"
    )
