"""A spec on a causal layer, from YAML to the engine's numbers: noise, node and latent are three different things."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import causalvae
from causalvae.data.others import Release
from causalvae.data.pairs import draw_samples
from causalvae.plan.owner import Owner
from causalvae.plan.types import Plan
from causalvae.session import Session
from causalvae.spec.training import TrainSpec
from causalvae_neighbours.grace.network import causal_layer_of

SCREEN = "{source: perturbations, programmes: 3, genes_each: 4, edges: 2, guides_each: 1, doubles: 0, world: 1"
SPEC = f"""
spec: causalvae/v1
name: tiny
model: {{source: zoo, weights: tiny.safetensors, untrained: true}}
data: {SCREEN}, samples: 12}}
graph:
  factors: [g1, P1, P2, P3]
  attributes: {{genes: {{readout: column, column: "P2_*"}}, gene: {{readout: column, index: 11}}}}
  edges: [g1 -> P1, P1 -> genes, P2 -> genes, P3 -> gene]
interventions:
  - {{name: on, input: {{factor: g1, set: {{to: "on"}}, others: propagate}}}}
  - {{name: noise, latent: {{components: "latent.exogenous[0]", values: zero}}}}
  - {{name: node, latent: {{components: latent_layer.nodes.0, values: zero}}}}
  - {{name: middle, latent: {{components: latent_layer.nodes.1, values: zero}}}}
  - {{name: told, latent: {{components: "latent[1]", values: zero}}}}
alignment: {{samples: 12, pairs: 12}}
execution: {{device: cpu}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file

    from causalvae_neighbours.grace.training import train_grace

    place = tmp_path_factory.mktemp("grace")
    spec = TrainSpec.model_validate(
        {
            "spec": "causalvae/train-v1",
            "name": "tiny",
            "model": {"architecture": "grace", "latent_dim": 3, "mechanism": "tanh"},
            "data": {"source": "perturbations", "programmes": 3, "genes_each": 4, "edges": 2, "guides_each": 1}
            | {"doubles": 0, "world": 1},
            "objective": {"name": "causal_discrepancy", "control_cells": 50, "guide_cells": 50},
            "steps": 2,
        }
    )
    result = train_grace(spec, place / "run")
    layer = causal_layer_of(result.vae)
    with torch.no_grad():
        layer.nodes[1].get_parameter("weights").fill_(1.5)
        layer.nodes[2].get_parameter("weights").copy_(torch.tensor([[-1.0], [2.0]]))
    state = {name: value.contiguous() for name, value in result.vae.state_dict().items()}
    save_file(state, str(place / "tiny.safetensors"), metadata=result.metadata)
    (place / "tiny.yaml").write_text(SPEC, encoding="utf-8")
    return place


def _expected(session: Session, x: Tensor, name: str) -> Tensor:
    """The structural equations of the layer with one thing set to zero, decoded: (n, genes)."""
    vae = session.model.vae
    u = vae.encode(x).mean.clone()
    if name == "noise":
        u[:, 0] = 0.0
    first = torch.zeros(len(u)) if name == "node" else u[:, 0]
    second = torch.zeros(len(u)) if name == "middle" else u[:, 1] + 1.5 * first.tanh()
    third = u[:, 2] - first.tanh() + 2.0 * second.tanh()
    told = torch.zeros(len(u)) if name == "told" else second
    return vae.decode(torch.stack([first, told, third], 1))


def test_the_engine_sets_noise_node_and_latent(folder: Path) -> None:
    session = causalvae.open(folder / "tiny.yaml")
    plan = causalvae.compile_plan(session)
    measured = causalvae.execute(session, plan, folder / "runs")
    x = session.dataset.inputs(draw_samples(session.dataset, 12, session.spec.data.seed))
    seen = {}
    for name in ("noise", "node", "middle", "told"):
        arms = [use.arm for use in plan.uses if use.owner == Owner.intervention(name) and use.role == "perturbation"]
        y = _expected(session, x, name).double()
        found = measured.arm(arms[0])
        assert found["genes"].to_numpy() == pytest.approx(y[:, 4:8].mean(1).numpy(), abs=1e-6)
        assert found["gene"].to_numpy() == pytest.approx(y[:, 11].numpy(), abs=1e-6)
        seen[name] = found["gene"].to_numpy()
    # Setting the root's noise and the root are the same; the others differ from each other.
    assert seen["noise"] == pytest.approx(seen["node"], abs=1e-6)
    assert abs(seen["middle"] - seen["told"]).max() > 1e-3
    assert abs(seen["middle"] - seen["node"]).max() > 1e-3
    assert measured.manifest["controls"]
    _check_alignment(plan)


def _check_alignment(plan: Plan) -> None:
    """All declared factors are held when one is set, whatever the graph declares; the other guides are released."""
    others = {cohort.name: cohort.treatment.others for cohort in plan.cohorts if cohort.treatment is not None}
    assert others.pop("on") == "propagate"
    assert set(others) == {"do(g1)", "do(P1)", "do(P2)", "do(P3)"}
    assert set(others.values()) == {Release(("g2", "g3"))}
