"""Checkpoints: sizes read off the weights, prefixes, entries, Lightning, other people's folders, factories."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.models.architectures import audio, perceptron, residual
from causalvae.models.burgess import burgess
from causalvae.models.checkpoint_source import open_checkpoint
from causalvae.models.kinds.checkpoint import CheckpointModel
from causalvae.models.sources import open_source
from causalvae.models.vae import VAE
from causalvae.models.weights import Weights, without_prefix
from causalvae.trust import allow_code

PRETRAINED = Path(__file__).parents[3] / "shared" / "pretrained"
SHAPE = (1, 8, 8)


def section(weights: str = "w.pt", **changes: Any) -> CheckpointModel:
    return CheckpointModel.model_validate({"source": "checkpoint", "weights": weights, **changes})


def opened(folder: Path, input_shape: tuple[int, ...] = SHAPE, **changes: Any) -> VAE:
    return open_source(section(**changes), folder, input_shape).vae


def refused(folder: Path, input_shape: tuple[int, ...] = SHAPE, **changes: Any) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        open_source(section(**changes), folder, input_shape)
    assert caught.value.remedy
    return caught.value


def seeded(make: Any, *arguments: Any) -> VAE:
    torch.manual_seed(0)
    return make(*arguments).eval()


def same(first: VAE, second: VAE, shape: tuple[int, ...]) -> None:
    x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(first.eval()(x), second.eval()(x))


@pytest.mark.parametrize(
    ("name", "make", "shape", "sizes"),
    [
        ("burgess", lambda: burgess(4, 3), (3, 64, 64), {"latent_dim": 4}),
        ("mlp", lambda: perceptron(SHAPE, 5, (20, 12)), SHAPE, {"latent_dim": 5, "hidden": [20, 12]}),
        ("residual", lambda: residual((3, 16, 16), 6, 8), (3, 16, 16), {"latent_dim": 6, "width": 8}),
        ("audio", lambda: audio((1, 256), 3, 8), (1, 256), {"latent_dim": 3, "width": 8}),
    ],
)
@pytest.mark.parametrize("prefix", ["", "vae."])
def test_sizes_are_read_off_the_weights(
    name: str, make: Any, shape: tuple[int, ...], sizes: dict[str, Any], prefix: str, tmp_path: Path
) -> None:
    vae = seeded(make)
    torch.save({prefix + key: value for key, value in vae.state_dict().items()}, tmp_path / "w.pt")
    for declared in ({}, sizes):
        found = opened(tmp_path, shape, name=name, **declared)
        assert (found.latent_dim, found.latent_shape) == (vae.latent_dim, (vae.latent_dim,))
        assert (found.activation, found.likelihood) == (vae.activation, vae.likelihood)
        same(found, vae, shape)


def test_wrong_sizes_and_other_networks_are_told(tmp_path: Path) -> None:
    torch.save(perceptron(SHAPE, 5, (20,)).state_dict(), tmp_path / "w.pt")
    assert "(7, 64)" in refused(tmp_path, name="mlp", hidden=[7]).message
    assert refused(tmp_path, name="mlp", latent_dim=4).code == "CV103"
    error = refused(tmp_path, input_shape=(1, 64, 64))
    assert (error.code, error.place) == ("CV128", "model.latent_dim")
    assert "decoder.lin1.weight" in error.remedy
    error = refused(tmp_path, name="mlp", input_shape=(1, 9, 9))
    assert (error.code, "encoder.lin1.weight" in error.message) == ("CV103", True)


def test_a_declared_reading_replaces_the_architectures(tmp_path: Path) -> None:
    torch.save(perceptron(SHAPE, 2, (6,)).state_dict(), tmp_path / "w.pt")
    plain = opened(tmp_path, name="mlp")
    assert (plain.layout, plain.second, plain.activation, plain.input_range) == ("chunk", "logvar", "sigmoid", (0, 1))
    other = opened(
        tmp_path,
        name="mlp",
        posterior={"layout": "interleaved", "second": "log_std"},
        output={"activation": "tanh", "likelihood": "gaussian"},
        input_range=[-1.0, 1.0],
    )
    assert (other.layout, other.second, other.activation) == ("interleaved", "log_std", "tanh")
    assert (other.likelihood, other.input_range) == ("gaussian", (-1, 1))


def state_of(*names: str) -> dict[str, Tensor]:
    return {name: torch.full((1,), float(place)) for place, name in enumerate(names)}


@pytest.mark.parametrize(
    ("names", "given", "taken"),
    [
        (("a.w", "b.w"), {}, ("a.w", "b.w")),
        (("m.a.w", "m.b.w"), {}, ("m.a.w", "m.b.w")),
        (("module.m.a.w", "module.m.b.w", "loss.w"), {}, ("module.m.a.w", "module.m.b.w")),
        (("ema.a.w", "ema.b.w", "net.a.w", "net.b.w"), {"prefix": "net."}, ("net.a.w", "net.b.w")),
        (("a._orig_mod.w", "b.w"), {}, ("a._orig_mod.w", "b.w")),
        (("a.w", "b.w", "critic.w", "critic.v"), {"ignore": ("critic.",)}, ("a.w", "b.w")),
    ],
)
def test_prefixes_are_found_or_taken_as_declared(names: Any, given: dict[str, Any], taken: Any) -> None:
    state = state_of(*names)
    found = without_prefix(Weights(state, {}, "w"), ("a.w", "b.w"), **given)
    assert {key: float(value) for key, value in found.state.items()} == {
        wanted: float(state[name]) for wanted, name in zip(("a.w", "b.w"), taken, strict=True)
    }


@pytest.mark.parametrize("names", [("a.w", "b.w"), ("module.a.w", "module.b.w"), ("net.a.w", "net.b.w")])
def test_a_wrapper_takes_the_weights_of_what_it_wraps(names: tuple[str, str]) -> None:
    found = without_prefix(Weights(state_of(*names), {}, "w"), ("vae.net.a.w", "vae.net.b.w"))
    assert {key: float(value) for key, value in found.state.items()} == {"vae.net.a.w": 0.0, "vae.net.b.w": 1.0}


def test_weights_that_are_there_twice_are_not_guessed() -> None:
    weights = Weights(state_of("ema.a.w", "ema.b.w", "net.a.w", "net.b.w"), {}, "w")
    with pytest.raises(CausalVAEError) as caught:
        without_prefix(weights, ("a.w", "b.w"))
    assert (caught.value.code, "'ema.' and 'net.'" in caught.value.message) == ("CV127", True)


def test_near_names_are_told(tmp_path: Path) -> None:
    state = perceptron(SHAPE, 2, (6,)).state_dict()
    state["encoder.haed.bias"] = state.pop("encoder.head.bias")
    torch.save(state, tmp_path / "w.pt")
    error = refused(tmp_path, name="mlp", latent_dim=2)
    assert error.code == "CV103"
    assert "missing encoder.head.bias" in error.message
    assert "encoder.haed.bias is perhaps encoder.head.bias" in error.remedy


def lightning(vae: VAE, **more: Any) -> dict[str, Any]:
    """What Lightning 2's Trainer.save_checkpoint writes."""
    return {
        "epoch": 4,
        "global_step": 1250,
        "pytorch-lightning_version": "2.1.3",
        "state_dict": {f"model.{key}": value for key, value in vae.state_dict().items()} | {"step": torch.ones(1)},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]}],
        "lr_schedulers": [],
        **more,
    }


def test_lightning_checkpoints_are_read_without_lightning(tmp_path: Path) -> None:
    vae = seeded(perceptron, SHAPE, 2, (6,))
    hparams = {"hparams_name": "kwargs", "hyper_parameters": {"lr": 1e-3, "latent": 2}}
    torch.save(lightning(vae, **hparams), tmp_path / "last.ckpt")
    found = open_source(section("last.ckpt", name="mlp"), tmp_path, SHAPE)
    same(found.vae, vae, SHAPE)
    assert found.facts["checkpoint"] == "Lightning 2.1.3, epoch 4, global step 1250"
    assert found.facts["prefix removed"] == "model."
    assert found.facts["other tensors, ignored"] == "1"


def test_pickled_hyper_parameters_are_refused_with_a_remedy_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = seeded(perceptron, SHAPE, 2, (6,))
    torch.save(lightning(vae, hyper_parameters=argparse.Namespace(lr=1e-3)), tmp_path / "last.ckpt")
    error = refused(tmp_path, weights="last.ckpt", name="mlp")
    assert error.code == "CV125"
    assert "argparse.Namespace" in error.message
    command = error.remedy.split('python -c "')[1].split('"')[0]
    monkeypatch.chdir(tmp_path)
    exec(command, {})
    same(opened(tmp_path, weights="last.pt", name="mlp"), vae, SHAPE)


def test_whole_modules_are_refused_by_name(tmp_path: Path) -> None:
    torch.save(perceptron(SHAPE, 2, (6,)), tmp_path / "w.pt")
    error = refused(tmp_path, name="mlp")
    assert error.code == "CV102"
    assert "causalvae.models.vae.VAE" in error.message
    assert "state_dict()" in error.remedy


def test_one_of_several_state_dicts_is_named(tmp_path: Path) -> None:
    vae, ema = seeded(perceptron, SHAPE, 2, (6,)), perceptron(SHAPE, 2, (6,))
    content = {"net": vae.state_dict(), "ema": ema.state_dict(), "epoch": 3}
    torch.save(content, tmp_path / "w.pt")
    error = refused(tmp_path, name="mlp")
    assert (error.code, error.place) == ("CV126", "model.key")
    assert "net, ema" in error.remedy
    same(opened(tmp_path, name="mlp", key="ema"), ema, SHAPE)
    assert refused(tmp_path, name="mlp", key="epoch").code == "CV126"
    torch.save({"model": vae.state_dict(), "epoch": 3}, tmp_path / "w.pt")
    same(opened(tmp_path, name="mlp"), vae, SHAPE)
    save_file(vae.state_dict(), tmp_path / "w.safetensors")
    assert refused(tmp_path, weights="w.safetensors", name="mlp", key="model").code == "CV126"


def disentangling(folder: Path, channels: int = 1, side: int = 64, **changes: Any) -> VAE:
    """A folder in the layout that disentangling-vae writes."""
    torch.manual_seed(0)
    vae = burgess(4, channels, side=side).eval()
    folder.mkdir()
    changes = {"img_size": [channels, side, side], **changes}
    specs = {"latent_dim": 4, "model_type": "Burgess", "loss": "btcvae", **changes}
    (folder / "specs.json").write_text(json.dumps({"rec_dist": "bernoulli", "dataset": "dsprites", **specs}))
    torch.save(vae.state_dict(), folder / "model.pt")
    return vae


def test_disentangling_vae_folders_are_read_as_they_are(tmp_path: Path) -> None:
    vae = disentangling(tmp_path / "btcvae")
    found = open_source(section("btcvae"), tmp_path, (1, 64, 64))
    assert (found.vae.layout, found.vae.latent_dim, found.vae.activation) == ("interleaved", 4, "sigmoid")
    assert found.facts["objective"] == "btcvae"
    x = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        pairs = vae.encoder(x).view(2, 4, 2)
        posterior = found.vae.encode(x)
    assert torch.equal(posterior.mean, pairs[..., 0])
    assert torch.equal(posterior.logvar, pairs[..., 1])
    assert opened(tmp_path, (1, 64, 64), weights="btcvae", posterior={"layout": "chunk"}).layout == "chunk"
    for wrong, told in (({"latent_dim": 5}, "4 latents"), ({"name": "mlp"}, "names mlp")):
        error = refused(tmp_path, weights="btcvae", **wrong)
        assert (error.code, told in error.message) == ("CV128", True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "Other"}, "model_type is Other"),
        ({"img_size": [1, 48, 48]}, "[1, 48, 48]"),
        ({"img_size": [1, 32, 64]}, "[1, 32, 64]"),
        ({"latent_dim": "many"}, "latent_dim"),
    ],
)
def test_other_disentangling_folders_are_refused(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    disentangling(tmp_path / "f", **change)
    error = refused(tmp_path, weights="f")
    assert (error.code, told in error.message) == ("CV128", True)
    (tmp_path / "f" / "specs.json").write_text("[")
    assert refused(tmp_path, weights="f").code == "CV128"


@pytest.mark.parametrize(("channels", "side"), [(1, 32), (3, 32), (3, 64)])
def test_disentangling_vae_folders_of_other_images(channels: int, side: int, tmp_path: Path) -> None:
    """For sides of 32 its network has one halving less: no conv_64 and no convT_64."""
    vae = disentangling(tmp_path / "f", channels, side)
    shape = (channels, side, side)
    found = opened(tmp_path, shape, weights="f")
    assert (found.input_shape, found.latent_dim) == (shape, 4)
    names = set(found.state_dict())
    assert ("encoder.conv_64.weight" in names, "decoder.convT_64.weight" in names) == (side == 64, side == 64)
    x = torch.rand(2, *shape)
    with torch.inference_mode():
        # The halvings written out, with the weights as they lie in the file.
        state, hidden = vae.state_dict(), x
        for layer in ("conv1", "conv2", "conv3", *(["conv_64"] if side == 64 else [])):
            weight, bias = state[f"encoder.{layer}.weight"], state[f"encoder.{layer}.bias"]
            hidden = torch.relu(torch.conv2d(hidden, weight, bias, stride=2, padding=1))
        for layer in ("lin1", "lin2", "mu_logvar_gen"):
            hidden = torch.relu(hidden) if layer != "lin1" else hidden.flatten(1)
            hidden = hidden @ state[f"encoder.{layer}.weight"].T + state[f"encoder.{layer}.bias"]
        torch.testing.assert_close(found.encode(x).mean, hidden.view(2, 4, 2)[..., 0], rtol=1e-4, atol=1e-5)
        assert found(x).shape == x.shape


@pytest.mark.skipif(not PRETRAINED.is_dir(), reason="the pretrained networks are not at hand")
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("VAE_dsprites", (1, 64, 64)),
        ("factor_dsprites", (1, 64, 64)),
        ("btcvae_mnist", (1, 32, 32)),
        ("btcvae_chairs", (1, 64, 64)),
        ("factor_celeba", (3, 64, 64)),
    ],
)
def test_real_folders_need_nothing_but_their_name(name: str, shape: tuple[int, ...]) -> None:
    found = open_checkpoint(section(name), PRETRAINED, shape)
    assert (found.vae.layout, found.vae.latent_dim, found.facts["format"]) == ("interleaved", 10, "disentangling-vae")
    assert found.vae.input_shape == shape


def test_a_factory_takes_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_net.py").write_text(
        "from causalvae.models.architectures import perceptron\n\n\n"
        "def make(width):\n    return perceptron((1, 8, 8), 2, (width,))\n"
    )
    monkeypatch.delitem(sys.modules, "their_net", raising=False)
    vae = seeded(perceptron, SHAPE, 2, (6,))
    torch.save(lightning(vae), tmp_path / "w.pt")
    given = {"factory": "their_net:make", "arguments": {"width": 6}, "latent_dim": 2}
    assert refused(tmp_path, **given).code == "CV117"
    with allow_code():
        same(opened(tmp_path, **given), vae, SHAPE)
        error = refused(tmp_path, **{**given, "latent_dim": 3})
    assert (error.code, "2 latents" in error.message, "latent_dim: 2" in error.remedy) == ("CV130", True, True)
