"""Training on a screen: killed and resumed to the same weights, reloaded to the same outputs; what a spec may say."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from causalvae.api import train
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import load_model
from causalvae.spec.training import TrainSpec
from causalvae_neighbours.grace.assessment import Assessment, assess
from causalvae_neighbours.grace.data import PerturbationDataset, shape_of
from causalvae_neighbours.grace.network import causal_layer_of
from causalvae_neighbours.grace.table import put_in_place, write_tables
from causalvae_neighbours.grace.training import fresh_network, train_grace

TINY: dict[str, Any] = {
    "spec": "causalvae/train-v1",
    "name": "tiny",
    "model": {"architecture": "grace", "latent_dim": 3, "mechanism": "relu"},
    "data": {"source": "perturbations", "programmes": 3, "genes_each": 4, "edges": 2, "doubles": 2},
    "objective": {"name": "causal_discrepancy", "control_cells": 60, "guide_cells": 50},
    "optimiser": {"lr": 0.003},
    "batch_size": 16,
    "steps": 12,
    "checkpoint_every": 4,
}


def spec(**changes: Any) -> TrainSpec:
    return TrainSpec.model_validate({**TINY, **changes})


def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = train_grace(spec(), tmp_path / "whole")
    train_grace(spec(), tmp_path / "killed", stop_after=6)
    again = train_grace(spec(), tmp_path / "killed")
    for name, value in whole.vae.state_dict().items():
        assert torch.equal(value, again.vae.state_dict()[name]), name
    other = train_grace(spec(seed=1), tmp_path / "other")
    assert not torch.equal(
        whole.vae.state_dict()["decoder.genes.weight"], other.vae.state_dict()["decoder.genes.weight"]
    )
    log = (tmp_path / "killed" / "log.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in log] == ["step", "4", "8", "12"]


def test_training_falls_and_moves_the_layer(tmp_path: Path) -> None:
    terms: list[dict[str, float]] = []
    longer = spec(steps=120, checkpoint_every=120, optimiser={"lr": 0.02})
    vae = train_grace(longer, tmp_path, lambda progress: terms.append(progress.terms)).vae
    first, last = terms[:10], terms[-10:]
    for name in ("reconstruction", "discrepancy"):
        assert sum(t[name] for t in last) < sum(t[name] for t in first)
    assert float(causal_layer_of(vae).perturbations.shifts.detach().abs().min()) > 0.1
    world = PerturbationDataset(shape_of(longer.data)).world
    found = assess(vae, world, 8.0, cells=300)
    assert found.doubles < 0.7 * found.unmoved
    values = [getattr(found, field.name) for field in fields(Assessment)]
    assert all(value == value for value in values)


def test_weights_reload_to_the_same_outputs(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "spec: causalvae/train-v1\nname: tiny\nsteps: 3\nbatch_size: 8\nseed: 2\n"
        "model: {architecture: grace, latent_dim: 3, mechanism: tanh}\n"
        "data: {source: perturbations, programmes: 3, genes_each: 4, edges: 2, guides_each: 1, doubles: 0}\n"
        "objective: {name: causal_discrepancy, control_cells: 50, guide_cells: 50}\n",
        encoding="utf-8",
    )
    weights = train(path, tmp_path / "out").weights
    model = load_model(ZooModel(source="zoo", weights=str(weights)), tmp_path, (12,))
    vae = train_grace(TrainSpec.model_validate(_record(path)), tmp_path / "out").vae
    x = torch.rand(5, 12, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model.vae(x), vae(x), atol=1e-6)
    assert causal_layer_of(model.vae).mechanism == "tanh" and causal_layer_of(model.vae).guides == 3
    names = [site.name for site in model.components.sites]
    assert {"latent.exogenous", "latent_layer.nodes.0", "latent_layer.nodes.2", "latent", "encoder.conv1"} <= {*names}
    assert model.components.site("encoder.conv1").units == 12


def _record(path: Path) -> dict[str, Any]:
    from causalvae.spec.loader import load_train_spec

    return load_train_spec(path).record


def test_the_gene_network_is_kept_shuffled_or_left_out() -> None:
    world = PerturbationDataset(shape_of(spec().data)).world

    def adjacency(**model: str) -> torch.Tensor:
        vae = fresh_network(spec(model={**TINY["model"], **model}), world)
        return vae.encoder.conv1.adjacency

    known, shuffled, none = adjacency(), adjacency(graph="shuffled"), adjacency(graph="none")
    assert torch.equal(none, torch.eye(12))
    assert not torch.equal(known, shuffled)
    assert torch.allclose(known.diagonal().sort().values, shuffled.diagonal().sort().values)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective": {"name": "vae"}}, "the objective is vae and the architecture grace"),
        ({"model": {"architecture": "mlp"}}, "the objective is causal_discrepancy and the architecture mlp"),
        ({"batch_size": 1}, "greater than or equal to 2"),
        ({"data": {"source": "dsprites"}}, "the objective is causal_discrepancy and the data dsprites"),
        ({"model": {"architecture": "mlp", "graph": "none"}, "objective": {"name": "vae"}}, "model.graph"),
    ],
)
def test_a_spec_that_does_not_hang_together_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**changes)


def test_tables_stand_between_the_marks_of_a_document(tmp_path: Path) -> None:
    results = {"chance": [{"shd": 9.0}], "trained": [{"shd": 1.0, "doubles": 0.01}, {"shd": 2.0, "doubles": 0.03}]}
    path = tmp_path / "doc.md"
    put_in_place(write_tables(results), path)
    before = path.read_text(encoding="utf-8")
    path.write_text(f"# Title\n\n{before}\nAfter.\n", encoding="utf-8")
    put_in_place(write_tables({"trained": results["trained"]}), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Title\n") and text.endswith("After.\n")
    rows = [line for line in text.splitlines() if line.startswith("| trained")]
    assert len(rows) == 2 and "| 1.5 (1, 2) |" in rows[0] and "| 0.0200 (0.0100, 0.0300) |" in rows[1]
    assert "chance" in before and "chance" not in text
