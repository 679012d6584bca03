"""The weights that the package ships are what their training specs say."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

from causalvae.models.weights import read_weights
from causalvae.spec import load_train_spec
from causalvae.spec.training import TrainSpec

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["morphomnist-vae", "shapes-hue"])
def test_shipped_weights_have_a_training_spec_that_makes_them(name: str) -> None:
    spec = load_train_spec(ROOT / "specs" / "train" / f"{name.replace('-', '_')}.yaml")
    kept = json.loads(read_weights(f"builtin://{name}", ROOT).metadata["training_spec"])
    assert TrainSpec.model_validate_json(json.dumps(kept)).identity == spec.identity


def test_shipped_weights_are_small() -> None:
    folder = Path(str(resources.files("causalvae.models") / "builtin"))
    assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) < 8_000_000
