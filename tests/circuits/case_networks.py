"""Hand-made VAEs of a table of three numbers, whose circuits are known, and specs that claim something of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import causalvae
from causalvae.circuits import Verdict, judge
from causalvae.data.dataset import Dataset
from causalvae.effects import open_context
from causalvae.engine.cohorts import draw_cohort
from causalvae.models.vae import VAE
from causalvae.plan.types import Plan
from causalvae.spec.schema import Spec


class Decode(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, z: Tensor) -> Tensor:
        first, second = z[:, 0], z[:, 1]
        y = {
            "single": first,
            "either": torch.maximum(first, second),
            "sum": (first + second) / 2,
            "cancel": first - 0.95 * second,
            "quarter": z[:, :4].sum(1) / 4,
            "wide": z[:, :4].sum(1) / 4 + z[:, 4:10].sum(1) / 100,
            "bent": torch.tanh(first) + 0.5 * second * (1 + z[:, 2]),
        }[self.kind]
        return torch.stack([y, z[:, -1], z[:, -2]], dim=1)


def make(kind: str, latents: int, carriers: int, loud: float = 0.0) -> VAE:
    """The first latents carry t, the last two u and w; latent 4 is `loud` times t, and read by nothing."""
    rows = torch.zeros(2 * latents, 3)
    rows[:carriers, 0] = 1.0
    rows[latents - 2, 1] = rows[latents - 1, 2] = 1.0
    if loud:
        rows[4, 0] = loud
    encoder = nn.Linear(3, 2 * latents)
    encoder.load_state_dict({"weight": rows, "bias": torch.tensor([0.0] * latents + [-12.0] * latents)})
    return VAE(encoder, Decode(kind), latents, (3,), activation="none", likelihood="gaussian")


def case_spec(
    kind: str, claims: list[dict[str, Any]], *, latents: int = 8, carriers: int = 1, loud: float = 0.0,
    samples: int = 64,
) -> Spec:  # fmt: skip
    """A spec whose claims are about y under a change of t."""
    defaults = {"treatment": "rise", "outcome": "y", "multiverse": False, "null": {"pairs": 32}}
    return Spec.model_validate(
        {
            "spec": "causalvae/v1",
            "name": f"{kind}-{latents}-{loud:g}".replace(".", "_"),
            "model": {
                "source": "python",
                "factory": f"{__name__}:make",
                "arguments": {"kind": kind, "latents": latents, "carriers": carriers, "loud": loud},
                "latent_dim": latents,
                "latent": "mean",
                "untrained": True,
                "output": {"activation": "none", "likelihood": "gaussian"},
            },
            "data": {
                "source": "scm",
                "world": "table",
                "variables": dict.fromkeys(("t", "u", "w"), "uniform(0, 1)"),
                "samples": samples,
                "seed": 1,
            },
            "graph": {
                "factors": ["t", "u", "w"],
                "attributes": {
                    name: {"readout": "column", "index": index} for index, name in enumerate(("y", "vw", "vu"))
                },
                "edges": ["t -> y", "w -> vw", "u -> vu"],
            },
            "interventions": [{"name": "rise", "input": {"factor": "t"}}],
            "hypotheses": [{**defaults, "name": f"h{k}", **claim} for k, claim in enumerate(claims)],
            "estimation": {"bootstrap": 200, "dowhy": False},
            "alignment": {"samples": 40},
            "execution": {"controls": False},
        }
    )


def run_case(folder: Path, kind: str, claims: list[dict[str, Any]], **network: Any) -> tuple[tuple[Verdict, ...], Plan]:
    """The verdicts on claims about a network, by the whole way from spec to verdict."""
    spec = case_spec(kind, claims, **network)
    with causalvae.allow_code(True):
        session = causalvae.open_session(spec, folder)
        plan = causalvae.compile_plan(session)
        measurements = causalvae.execute(session, plan, folder / "runs")
    return judge(open_context(session.spec, measurements, session.whole), session.graph), plan


def pairs_of(plan: Plan, dataset: Dataset) -> dict[str, Tensor]:
    """The inputs of the treatment's pairs by side."""
    drawn = draw_cohort(dataset, plan.cohort("rise"), plan.split)
    return {side: dataset.inputs(rows) for side, rows in drawn.rows.items()}


@torch.inference_mode()
def hooked(vae: VAE, start: Tensor, other: Tensor, units: tuple[int, ...]) -> Tensor:
    """y of `start` with some latents of `other`, by a hook on the decoder and one pass an input."""
    outputs = []
    for own, source in zip(start, other, strict=True):
        latents = vae.encode(source[None]).mean

        def swap(module: object, inputs: tuple[Tensor, ...], latents: Tensor = latents) -> tuple[Tensor, ...]:
            changed = inputs[0].clone()
            changed[:, list(units)] = latents[:, list(units)]
            return (changed, *inputs[1:])

        hook = vae.decoder.register_forward_pre_hook(swap)
        try:
            outputs.append(vae.decoder(vae.encode(own[None]).mean)[0, 0])
        finally:
            hook.remove()
    return torch.stack(outputs).double()
