"""Variants from YAML to a report: trained, saved with what rebuilds them, loaded again, and run on all four levels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import causalvae
from causalvae.data.dataset import open_dataset
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.loading import load_model
from causalvae.spec.diagnostics import SpecError
from causalvae.spec.loader import load_train_spec
from causalvae.spec.training import TrainSpec
from causalvae.training import loop
from causalvae.training.loop import train

# Two causes and their sum, and a label behind them that a conditional network is given.
DATA = """
  source: scm
  world: table
  variables:
    size: uniform(0, 1)
    tilt: uniform(0, 1)
    mixed: 0.5 * size + 0.5 * tilt + normal(0, 0.02)
    kind: {levels: [0, 1]}
"""
MODELS = {
    "vq": ("{architecture: vq, latent_dim: 3, codes: 16, likelihood: gaussian}", "{name: vq_vae, decay: 0.9}"),
    "conditional": (
        "{architecture: conditional, latent_dim: 2, condition: 1, likelihood: gaussian, sigma: 0.1}",
        "{name: vae}",
    ),
    "ladder": (
        "{architecture: ladder, latent_dim: 4, levels: 2, likelihood: gaussian, sigma: 0.1}",
        "{name: beta_vae, beta: 1.5}",
    ),
}
ADDRESSES = {"vq": "latent_layer.code[0:4]", "conditional": "decoder.condition", "ladder": "latent.g1[0]"}
HEADS = {"vq": "encoder.head", "conditional": "encoder.head", "ladder": "encoder.heads.*"}
STEPS = 250


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(loop, "_NEW_SAMPLES", 64)
    monkeypatch.setattr(loop, "PAIRS", 8)
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(allowed)


def training_text(name: str) -> str:
    model, objective = MODELS[name]
    return f"""spec: causalvae/train-v1
name: {name}
model: {model}
data: {DATA}
objective: {objective}
optimiser: {{lr: 0.005}}
batch_size: 32
steps: {STEPS}
checkpoint_every: 125
"""


def analysis_text(name: str, weights: Path) -> str:
    return f"""spec: causalvae/v1
name: {name}-run
model: {{source: zoo, weights: {weights}}}
data: {DATA}  samples: 24
graph:
  factors: [size, tilt]
  attributes:
    first: {{readout: column, index: 0}}
    both: {{readout: column, index: 2}}
  edges: [size -> first, size -> both, tilt -> both]
mapping: {{size: "latent[0]"}}
interventions:
  - name: grow
    input: {{factor: size}}
  - name: sweep
    latent: {{components: "{"latent.g2[0]" if name == "ladder" else "latent[1]"}", values: {{quantiles: [0.1, 0.9]}}}}
  - name: patch
    activation: {{components: ["{HEADS[name]}", "{ADDRESSES[name]}"], by: unit, from: grow}}
  - name: through
    mediation: {{treatment: grow, mediators: ["{ADDRESSES[name]}"], outcomes: [both]}}
estimation: {{bootstrap: 20, refute: []}}
report: {{formats: [json]}}
"""


@pytest.mark.parametrize("name", MODELS)
def test_a_variant_goes_from_yaml_to_a_report(name: str, tmp_path: Path) -> None:
    training = section_of(name, tmp_path)
    outcome = causalvae.train(tmp_path / "train.yaml", tmp_path / "out")
    spec_file = tmp_path / "run.yaml"
    spec_file.write_text(analysis_text(name, outcome.weights.resolve()), encoding="utf-8")
    found = causalvae.run(spec_file, tmp_path / "runs")
    assert len({estimate.estimand for estimate in found.results.estimates}) > 3
    controls = {check.name: check for check in found.results.controls}
    assert controls["reconstruction"].passed and controls["self-patch"].value == 0
    assert controls["captured network"].passed
    assert ("full patch" in controls) == (name != "conditional")
    assert all((latent.kl is None) == (name == "vq") for latent in found.results.latents)
    # The same weights give the same outputs as when they were trained.
    section = ZooModel(source="zoo", weights=str(outcome.weights))
    model = load_model(section, tmp_path, open_dataset(training.data, tmp_path).input_shape)
    again = train(training, tmp_path / "out").vae
    x = torch.rand(20, 4)
    with torch.inference_mode():
        assert torch.equal(model.vae(x), again(x))
    assert model.vae.output_shape == ((3,) if name == "conditional" else (4,))


def section_of(name: str, folder: Path) -> TrainSpec:
    file = folder / "train.yaml"
    file.write_text(training_text(name), encoding="utf-8")
    return load_train_spec(file)


def test_a_stopped_vq_vae_goes_on_to_the_same_codebook(tmp_path: Path) -> None:
    spec = section_of("vq", tmp_path).model_copy(update={"steps": 12, "checkpoint_every": 4})
    whole = train(spec, tmp_path / "whole")
    train(spec, tmp_path / "parts", stop_after=7)
    parts = train(spec, tmp_path / "parts")
    mine, theirs = whole.vae.state_dict(), parts.vae.state_dict()
    assert "latent_layer.codebook" in mine
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert whole.kl == () and "perplexity" in whole.metadata["loss_terms"]


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({"model": {"architecture": "vq"}}, ("objective",)),
        ({"objective": {"name": "vq_vae"}}, ("objective",)),
        ({"model": {"architecture": "mlp", "codes": 4}}, ("model", "codes")),
        ({"model": {"architecture": "vq", "levels": 4}, "objective": {"name": "vq_vae"}}, ("model", "levels")),
    ],
)
def test_what_does_not_belong_together_is_refused(changed: dict[str, Any], at: tuple[str, ...]) -> None:
    from pydantic import ValidationError

    plain = {"spec": "causalvae/train-v1", "name": "x", "objective": {"name": "vae"}, "steps": 1}
    with pytest.raises(ValidationError) as refused:
        TrainSpec.model_validate({**plain, **changed})
    assert any(error["loc"][: len(at)] == at for error in refused.value.errors())


def test_groups_and_codes_are_addresses_that_validate(tmp_path: Path) -> None:
    text = analysis_text("ladder", Path("weights.safetensors"))
    for old, new, valid in (("latent.g2[0]", "latent.exogenous[0]", True), ("latent.g2[0]", "latent.second[0]", False)):
        file = tmp_path / "spec.yaml"
        file.write_text(text.replace(old, new), encoding="utf-8")
        if valid:
            causalvae.load_spec(file)
            continue
        with pytest.raises(SpecError) as refused:
            causalvae.load_spec(file)
        assert {diagnostic.code for diagnostic in refused.value.diagnostics} == {"CV054"}
