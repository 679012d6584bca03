"""The shipped weights are what their training specs made, and say so."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
import torch

from causalvae.data.dataset import open_dataset
from causalvae.data.pairs import draw_samples
from causalvae.models.check import check_model
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import load_model
from causalvae.models.weights import read_weights
from causalvae.spec import load_train_spec
from causalvae.spec.places import builtin_names
from causalvae.spec.training import TrainSpec

TRAINING = Path(__file__).parents[2] / "specs" / "train"
DATA = Path(__file__).parents[3] / "shared" / "data"
LARGEST = 8_000_000


def test_two_models_are_shipped() -> None:
    assert {"dsprites-disentangled", "dsprites-vae"} <= set(builtin_names())


def test_shipped_weights_are_small() -> None:
    folder = Path(str(resources.files("causalvae.models") / "builtin"))
    assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) < LARGEST


@pytest.mark.parametrize("name", builtin_names())
def test_shipped_weights_tell_how_they_were_made(name: str, tmp_path: Path) -> None:
    weights = read_weights(f"builtin://{name}", tmp_path)
    spec = load_train_spec(TRAINING / f"{name.replace('-', '_')}.yaml")
    assert TrainSpec.model_validate(json.loads(weights.metadata["training_spec"])) == spec
    assert int(weights.metadata["seconds"]) > 60
    terms = json.loads(weights.metadata["loss_terms"])
    assert terms["step"] == spec.steps
    assert {"reconstruction", "kl", "loss"} <= set(terms)


@pytest.mark.parametrize("name", builtin_names())
def test_shipped_weights_reach_what_their_metadata_say(name: str, tmp_path: Path) -> None:
    model = load_model(ZooModel(source="zoo", weights=f"builtin://{name}"), tmp_path)
    spec = load_train_spec(TRAINING / f"{name.replace('-', '_')}.yaml")
    if spec.data.files and not all((DATA / file).exists() for file in spec.data.files):
        pytest.skip("the data are not at hand")
    data = open_dataset(spec.data, DATA)
    found = check_model(model.vae, data.inputs(draw_samples(data, 1000, 11)))
    metadata = read_weights(f"builtin://{name}", tmp_path).metadata
    # Another thousand samples than those of the metadata: their means differ by a few percent.
    assert found.reconstruction == pytest.approx(float(metadata["reconstruction_nats"]), rel=0.1)
    assert found.kl == pytest.approx(sum(json.loads(metadata["kl_nats"])), rel=0.1)
    assert all(torch.isfinite(value).all() for value in model.vae.state_dict().values())
