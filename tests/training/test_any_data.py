"""Training on any source, by either likelihood, and what is kept with the weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from causalvae.data.dataset import open_dataset
from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build
from causalvae.models.check import check_model
from causalvae.models.kinds.zoo import ZooModel
from causalvae.models.likelihood import negative_log_likelihood
from causalvae.models.loading import Model, load_model
from causalvae.models.vae import LEAST_LOG_SIGMA
from causalvae.spec import parse_train_spec
from causalvae.spec.training import TrainSpec
from causalvae.training.device import choose_device
from causalvae.training.evaluation import evaluate
from causalvae.training.log import read_log
from causalvae.training.loop import TrainResult, train
from causalvae.training.losses import gaussian_nll, reconstruction_nll
from tests.training.worlds import TABLE, table_spec

HEAD = "spec: causalvae/train-v1\nname: t\nobjective: {name: vae}\nsteps: 10\n"


def load_back(result: TrainResult, folder: Path) -> Model:
    save_file(result.vae.state_dict(), folder / "w.safetensors", metadata=result.metadata)
    return load_model(ZooModel(source="zoo", weights="w.safetensors"), folder)


def test_gaussian_nll_is_the_density() -> None:
    torch.manual_seed(0)
    x, mean = torch.rand(6, 2, 5, dtype=torch.float64), torch.rand(6, 2, 5, dtype=torch.float64)
    for sigma in (0.05, 1.0, 3.0):
        expected = -torch.distributions.Normal(mean, sigma).log_prob(x).sum((1, 2)).mean()
        torch.testing.assert_close(gaussian_nll(mean, x, torch.tensor(math.log(sigma), dtype=torch.float64)), expected)


def test_the_best_sigma_is_the_root_mean_square_error() -> None:
    torch.manual_seed(1)
    x = torch.rand(50, 3, dtype=torch.float64)
    log_sigma = torch.tensor(0.5 * math.log(float(x.square().mean())), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(gaussian_nll(torch.zeros_like(x), x, log_sigma), log_sigma)
    assert abs(float(slope)) < 1e-12


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_training_and_loading_count_the_same_nats(likelihood: str) -> None:
    vae = build("mlp", (4,), 2, likelihood, 0.3).eval()  # type: ignore[arg-type]
    x = torch.rand(9, 4)
    raw = vae.decoder(vae.encode(x).mean)
    by_loading = negative_log_likelihood(vae, vae.activate(raw), x).mean()
    torch.testing.assert_close(reconstruction_nll(vae, raw, x).double(), by_loading, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        {"likelihood": "gaussian"},
        {"likelihood": "gaussian", "sigma": 0.2},
        {"likelihood": "gaussian", "sigma": "learned"},
        {"likelihood": "bernoulli"},
    ],
    ids=str,
)
def test_weights_bring_their_likelihood_along(model: dict[str, Any], tmp_path: Path) -> None:
    spec = table_spec(model={"architecture": "mlp", "latent_dim": 3, **model})
    result = train(spec, tmp_path)
    loaded = load_back(result, tmp_path)
    vae = loaded.vae
    assert vae.likelihood == model["likelihood"]
    assert vae.activation == ("sigmoid" if vae.likelihood == "bernoulli" else "none")
    assert vae.sigma == model.get("sigma", 1.0)
    x = open_dataset(spec.data, tmp_path).inputs(open_dataset(spec.data, tmp_path).draw(40, np.random.default_rng(0)))
    assert torch.equal(vae(x), result.vae(x))
    assert evaluate(vae, x) == evaluate(result.vae, x)
    assert TrainSpec.model_validate(json.loads(result.metadata["training_spec"])) == spec
    if vae.likelihood == "gaussian":
        assert float(result.metadata["sigma"]) == pytest.approx(float(vae.log_sigma.exp()), rel=1e-4)


def test_sigma_learns_how_far_off_the_reconstructions_are(tmp_path: Path) -> None:
    spec = table_spec(steps=300, checkpoint_every=300, batch_size=32, optimiser={"lr": 0.003, "final": 0.1})
    result = train(spec, tmp_path)
    data = open_dataset(spec.data, tmp_path)
    x = data.inputs(data.draw(2000, np.random.default_rng(1)))
    with torch.no_grad():
        error = float((result.vae(x) - x).square().mean().sqrt())
        sigma = float(result.vae.log_sigma.exp())
    # Samples of the posterior are decoded in training, so it is a little above the error at the mean.
    assert error < sigma < 1.5 * error
    assert sigma < 0.5, "it began at 1"
    assert check_model(load_back(result, tmp_path).vae, x).reconstruction < check_model(result.vae, x).mean_image


def test_a_learned_sigma_stops_where_the_likelihood_has_no_maximum() -> None:
    vae = build("mlp", (4,), 2, "gaussian", "learned")
    with torch.no_grad():
        vae.raw_log_sigma.fill_(-50.0)
    assert float(vae.log_sigma.detach()) == LEAST_LOG_SIGMA


def test_data_outside_of_a_bernoullis_range_is_refused(tmp_path: Path) -> None:
    data = {**TABLE, "scale": "standard"}
    with pytest.raises(CausalVAEError) as caught:
        train(table_spec(data=data, model={"architecture": "mlp"}), tmp_path / "bernoulli")
    assert caught.value.code == "CV427"
    train(table_spec(data=data, steps=1), tmp_path / "gaussian")


def test_a_loss_that_leaves_the_finite_numbers_stops_training(tmp_path: Path) -> None:
    with pytest.raises(CausalVAEError) as caught:
        train(table_spec(optimiser={"lr": 1e20}), tmp_path)
    assert caught.value.code == "CV428"
    assert read_log(tmp_path) == []


def test_held_out_samples_are_told_at_every_checkpoint(tmp_path: Path) -> None:
    result = train(table_spec(held_out=0.2), tmp_path)
    rows = read_log(tmp_path)
    assert len(rows) == 3
    assert all({"held_out_reconstruction", "held_out_kl"} <= row.keys() for row in rows)
    assert "held out" in result.metadata["images"]
    assert "held_out_kl" not in read_log_of_a_point(tmp_path / "vq")[0]


def read_log_of_a_point(folder: Path) -> list[dict[str, float]]:
    vq = {"architecture": "vq", "latent_dim": 3, "codes": 8}
    result = train(table_spec(held_out=0.2, model=vq, objective={"name": "vq_vae"}), folder)
    assert result.kl == ()
    assert "kl_nats" not in result.metadata
    return read_log(folder)


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(CausalVAEError) as caught:
        train(table_spec(execution={"device": "cuda"}), tmp_path / "run")
    assert caught.value.code == "CV423"
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_takes_the_same_steps_within_rounding(tmp_path: Path) -> None:
    cpu = train(table_spec(execution={"device": "cpu"}), tmp_path / "cpu")
    gpu = train(table_spec(execution={"device": "cuda"}), tmp_path / "gpu")
    assert gpu.metadata["device"] == "cuda"
    for name, value in cpu.vae.state_dict().items():
        torch.testing.assert_close(gpu.vae.state_dict()[name], value, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        ("data: {source: dsprites, seed: 3}", "CV020", "Training draws new samples"),
        ("data: {source: dsprites, samples: 500}", "CV020", "Training draws new samples"),
        ("model: {sigma: 0.5}", "CV020", "likelihood: gaussian"),
        ("model: {likelihood: gaussian, sigma: 0}", "CV024", ""),
        ("held_out: 1.0", "CV024", ""),
        ("execution: {device: gpu}", "CV023", ""),
        ("data: {source: dsprite}", "CV023", ""),
        ("log: {tensorboard: yes please}", "CV022", ""),
    ],
)
def test_what_training_has_no_use_for_is_told(lines: str, code: str, words: str) -> None:
    spec, (found,) = parse_train_spec(HEAD + lines + "\n")
    assert spec is None
    assert found.code == code
    assert words in found.expected


@pytest.mark.parametrize(("objective", "least"), [("beta_tcvae", 2), ("factor_vae", 4), ("info_vae", 2)])
def test_batches_too_small_for_an_objective_are_told(objective: str, least: int) -> None:
    text = HEAD.replace("name: vae", f"name: {objective}")
    assert parse_train_spec(f"{text}batch_size: {least}\n")[0] is not None
    spec, (found,) = parse_train_spec(f"{text}batch_size: {least - 1}\n")
    assert spec is None
    assert found.code == "CV024"
