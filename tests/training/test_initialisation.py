"""Kaiming's initial weights: their variance, and that training starts from them."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from causalvae.models.architectures import build
from causalvae.spec import load_train_spec
from causalvae.spec.loader import SpecError
from causalvae.spec.training import TrainSpec
from causalvae.training import initialisation
from causalvae.training.initialisation import kaiming
from causalvae.training.loop import TrainResult, train
from tests.training.worlds import table_spec

# What one output sums: kernel positions times channels, of a transposed convolution those that meet an output.
LAYERS = [
    (nn.Linear(300, 200), 300),
    (nn.Conv1d(20, 100, 7, stride=3), 140),
    (nn.Conv2d(24, 96, (4, 2), stride=2), 192),
    (nn.Conv2d(24, 96, 3, groups=4), 54),
    (nn.ConvTranspose1d(60, 50, 8, stride=4), 120),
    (nn.ConvTranspose2d(32, 64, 4, stride=2, padding=1), 128),
    (nn.ConvTranspose2d(32, 64, 4, stride=1), 512),
    (nn.ConvTranspose2d(32, 64, 4, stride=2, groups=2), 64),
]
MLP: dict[str, Any] = {"architecture": "mlp", "latent_dim": 3, "likelihood": "gaussian"}


@pytest.mark.parametrize(("layer", "summed"), LAYERS, ids=str)
def test_weights_have_twice_the_variance_over_what_an_output_sums(layer: nn.Module, summed: int) -> None:
    torch.manual_seed(0)
    kaiming(layer)
    values = layer.weight.detach()
    assert float(values.var()) * summed == pytest.approx(2.0, rel=0.08)
    assert abs(float(values.mean())) < 4.0 * (2.0 / summed / values.numel()) ** 0.5
    assert not layer.bias.any()


@pytest.mark.parametrize(
    "layer", [nn.Linear(400, 400), nn.Conv2d(40, 60, 4, 2), nn.ConvTranspose2d(40, 60, 4, 2)], ids=str
)
def test_a_layer_behind_a_relu_keeps_the_size_of_what_enters(layer: nn.Module) -> None:
    """He et al. 2015, equation 7: var(y) = n/2 var(w) var(y before), here 1 where w has variance 2/n."""
    torch.manual_seed(1)
    kaiming(layer)
    shape = (64, 400) if isinstance(layer, nn.Linear) else (16, 40, 20, 20)
    with torch.no_grad():
        out = layer(torch.randn(shape).relu())
    if out.ndim == 4:
        out = out[:, :, 4:-4, 4:-4]
    assert float(out.var()) == pytest.approx(1.0, rel=0.2)


def test_layers_without_a_bias_and_others_are_left_as_they_are() -> None:
    network = nn.Sequential(nn.Linear(4, 5, bias=False), nn.BatchNorm1d(5), nn.PReLU())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    kaiming(network)
    after = network.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["0.weight"]


def test_a_deep_network_passes_its_input_on() -> None:
    """Of the output's variance over inputs PyTorch's weights leave less than a thousandth of what Kaiming's do."""
    spreads = []
    for drawn_anew in (False, True):
        torch.manual_seed(0)
        vae = build("burgess", (1, 64, 64), 10, "bernoulli").eval()
        if drawn_anew:
            kaiming(vae)
        with torch.no_grad():
            x = (torch.rand(8, 1, 64, 64) > 0.5).float() * torch.linspace(0.1, 1, 8)[:, None, None, None]
            spreads.append(float(vae.decode_raw(vae.encode(x).mean).var(dim=0).mean()))
    assert spreads[0] < 1e-3 * spreads[1]


def equal(mine: TrainResult, theirs: TrainResult) -> bool:
    left, right = mine.vae.state_dict(), theirs.vae.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_training_starts_from_them_by_its_seed(tmp_path: Path) -> None:
    def first(name: str, **changes: Any) -> TrainResult:
        spec = table_spec(steps=1, optimiser={"lr": 1e-12}, model={**MLP, "init": "kaiming"})
        return train(spec.model_copy(update=changes), tmp_path / name)

    once, again, other = first("once"), first("again"), first("other", seed=6)
    plain = train(table_spec(steps=1, optimiser={"lr": 1e-12}, model=MLP), tmp_path / "plain")
    assert equal(once, again)
    assert not equal(once, other) and not equal(once, plain)
    for result, variance in ((once, 2.0), (plain, 1.0 / 3.0)):
        layers = [
            layer for layer in result.vae.modules() if isinstance(layer, nn.Linear) and layer.weight.numel() > 999
        ]
        assert layers
        for layer in layers:
            assert float(layer.weight.detach().var()) * layer.in_features == pytest.approx(variance, rel=0.15)


def test_the_default_is_pytorchs_own() -> None:
    assert TrainSpec.model_validate(table_spec().record).model.init == "pytorch"
    assert table_spec(model={**MLP, "init": "kaiming"}).identity != table_spec(model=MLP).identity


def test_another_value_is_reported_with_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("spec: causalvae/train-v1\nname: t\nobjective: {name: vae}\nsteps: 10\nmodel: {init: xavier}\n")
    with pytest.raises(SpecError) as caught:
        load_train_spec(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.line == 5
    assert "pytorch" in str(caught.value) and "kaiming" in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "objective", "source"),
    [("grace", "causal_discrepancy", "perturbations"), ("encoder_free", "half_avae", "mixtures")],
)
def test_networks_that_draw_weights_of_their_own_refuse_the_key(architecture: str, objective: str, source: str) -> None:
    changes = {"objective": {"name": objective}, "data": {"source": source}}
    plain = {"architecture": architecture, "likelihood": "gaussian"}
    assert table_spec(model=plain, **changes).model.init == "pytorch"
    with pytest.raises(ValidationError) as refused:
        table_spec(model={**plain, "init": "kaiming"}, **changes)
    (error,) = refused.value.errors()
    assert (error["loc"], error["type"]) == (("model", "init"), "unused_key")


def test_the_example_is_so() -> None:
    found = doctest.testmod(initialisation)
    assert found.attempted > 3 and not found.failed
