"""Networks of three latents on a table of two columns, run through the engine as a user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import causalvae
from causalvae.effects import EffectsResult, estimate_effects, open_context
from causalvae.engine.measurements import Measurements
from causalvae.spec.whole_output import WholeOutput

FACTORIES = """
import torch
from torch import nn

from causalvae.models.vae import VAE


class Encoder(nn.Module):
    def __init__(self, noise):
        super().__init__()
        self.head = nn.Linear(2, 6)
        with torch.no_grad():
            # dose and place to latents; then the log-variances, the same for every input.
            self.head.weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 0.3], [0.4, 1.0], *[[0.0, 0.0]] * 3]))
            self.head.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -12.0, noise, -12.0]))

    def forward(self, x):
        return self.head(x)


class Linear(nn.Module):
    def forward(self, z):
        return torch.stack([z[:, 0] + 2 * z[:, 1] + 0.5 * z[:, 2], z[:, 2]], dim=1)


class Interacting(nn.Module):
    def forward(self, z):
        return torch.stack([z[:, 0] + z[:, 1] + 3 * z[:, 0] * z[:, 1], z[:, 2]], dim=1)


class Bent(nn.Module):
    def forward(self, z):
        y = torch.tanh(2 * z[:, 1]) * (1 + z[:, 0]) + torch.sin(2 * z[:, 2]) * z[:, 1]
        return torch.stack([y, z[:, 2]], dim=1)


def build(decoder, noise=-2.4):
    return VAE(Encoder(noise), decoder, 3, (2,), activation="none", likelihood="gaussian")


def linear():
    return build(Linear())


def interacting():
    return build(Interacting())


def bent():
    return build(Bent())
"""


def write_tiny(
    folder: Path, kind: str, mediators: Sequence[str], latent: str = "sample", samples: int = 60, **sections: Any
) -> Path:
    """Write a spec with a mediation of do(dose), and the network that it names; returns the spec's path."""
    # Each folder has a module of its own: Python keeps what it has once imported.
    module = f"tiny_{abs(hash(str(folder)))}"
    (folder / f"{module}.py").write_text(FACTORIES)
    content = {
        "spec": "causalvae/v1",
        "name": f"tiny-{kind}",
        "model": {
            "source": "python",
            "factory": f"{module}:{kind}",
            "latent_dim": 3,
            "latent": latent,
            "untrained": True,
            "output": {"activation": "none", "likelihood": "gaussian"},
        },
        "data": {
            "source": "scm",
            "world": "table",
            "variables": {"dose": "uniform(0, 1)", "place": "uniform(0, 1)"},
            "samples": samples,
        },
        "graph": {
            "factors": ["dose", "place"],
            "attributes": {"answer": {"readout": "column", "index": 0}, "where": {"readout": "column", "index": 1}},
            "edges": ["dose -> answer", "place -> answer", "place -> where", "dose -> where"],
        },
        "interventions": [
            {"name": "raise", "input": {"factor": "dose"}},
            {
                "name": "via",
                "mediation": {"treatment": "raise", "mediators": list(mediators), "outcomes": ["answer"]},
            },
        ],
        "alignment": {"samples": 40, "pairs": 40},
        **sections,
    }
    path = folder / f"{kind}.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(content, file)
    return path


def run_tiny(folder: Path, kind: str, mediators: Sequence[str], **sections: Any) -> tuple[EffectsResult, Measurements]:
    """The effects of such a spec, and the tables that they are of."""
    path = write_tiny(folder, kind, mediators, **sections)
    spec = causalvae.load_spec(path)
    with causalvae.allow_code(True):
        session = causalvae.open_session(spec, folder)
        plan = causalvae.compile_plan(session)
        measurements = causalvae.execute(session, plan, folder / "runs")
    return estimate_effects(open_context(spec, measurements, WholeOutput.of((1, 1, 2)))), measurements
