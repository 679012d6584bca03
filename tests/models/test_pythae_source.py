"""Pythae's folders, read without pythae: every kind of model, against its default networks written out."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.kinds.pythae import PythaeModel
from causalvae.models.opened import Opened
from causalvae.models.sources import open_source
from causalvae.trust import allow_code
from tests.models.pythae_folders import decoded, default_state, linear, reference, write_folder

SHAPE, LATENTS = (1, 4, 4), 3


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def opened(folder: Path, input_shape: tuple[int, ...] = SHAPE, **changes: Any) -> Opened:
    section = PythaeModel.model_validate({"source": "pythae", "path": "f", **changes})
    return open_source(section, folder, input_shape)


def refused(folder: Path, input_shape: tuple[int, ...] = SHAPE) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        opened(folder, input_shape)
    assert caught.value.remedy
    return caught.value


def inputs(shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.rand(5, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("VAEConfig", {"reconstruction_loss": "mse"}),
        ("BetaVAEConfig", {"reconstruction_loss": "bce", "beta": 4.0}),
        ("BetaTCVAEConfig", {"reconstruction_loss": "mse", "alpha": 1.0, "beta": 6.0, "gamma": 1.0}),
        ("DisentangledBetaVAEConfig", {"reconstruction_loss": "mse", "beta": 10.0, "C": 50.0}),
        ("FactorVAEConfig", {"reconstruction_loss": "bce", "gamma": 2.0}),
        ("INFOVAE_MMD_Config", {"reconstruction_loss": "mse", "lbd": 10.0, "alpha": 0.0}),
        ("IWAEConfig", {"reconstruction_loss": "mse", "number_samples": 10}),
    ],
)
def test_gaussian_models_are_rebuilt_from_their_weights(name: str, more: dict[str, Any], tmp_path: Path) -> None:
    state = default_state(SHAPE, LATENTS)
    besides = {"FactorVAEConfig": linear(LATENTS, 10, "discriminator.layers.0")}.get(name, {})
    write_folder(tmp_path / "f", name, SHAPE, LATENTS, {**state, **besides}, **more)
    found = opened(tmp_path)
    x = inputs()
    mean, logvar = reference(state, x)
    with torch.inference_mode():
        posterior = found.vae.eval().encode(x)
        torch.testing.assert_close(posterior.mean, mean)
        torch.testing.assert_close(posterior.logvar, logvar)
        # At the mean, never at pythae's sampled embedding.
        torch.testing.assert_close(found.vae(x), decoded(state, mean, SHAPE))
    assert found.vae.likelihood == ("bernoulli" if more["reconstruction_loss"] == "bce" else "gaussian")
    assert (found.vae.activation, found.vae.latent_shape) == ("none", (LATENTS,))
    assert found.facts["network"] == name.removesuffix("Config").rstrip("_")


@pytest.mark.parametrize("name", ["AEConfig", "WAE_MMD_Config"])
def test_models_without_a_variance_give_points(name: str, tmp_path: Path) -> None:
    state = default_state(SHAPE, LATENTS, log_var=False)
    write_folder(tmp_path / "f", name, SHAPE, LATENTS, state)
    vae = opened(tmp_path).vae
    mean, _ = reference(state, inputs())
    assert vae.is_point
    torch.testing.assert_close(vae(inputs()), decoded(state, mean, SHAPE))


@pytest.mark.parametrize("use_ema", [True, False])
def test_a_vector_of_latents_is_quantised_number_by_number(use_ema: bool, tmp_path: Path) -> None:
    state = default_state(SHAPE, LATENTS, log_var=False)
    codes = torch.randn(8, 1) * 0.2
    own = {"quantizer.embeddings.weight": codes}
    if use_ema:
        own = {
            "quantizer.cluster_size": torch.ones(8),
            "quantizer.ema_embed": codes,
            "quantizer.embeddings": codes,
        }
    write_folder(tmp_path / "f", "VQVAEConfig", SHAPE, LATENTS, {**state, **own}, num_embeddings=8, use_ema=use_ema)
    vae = opened(tmp_path).vae
    mean, _ = reference(state, inputs())
    nearest = codes[(mean[..., None] - codes[:, 0]).abs().argmin(-1), 0]
    assert len(nearest.unique()) > 2
    posterior = vae.encode(inputs())
    torch.testing.assert_close(vae.pass_on(posterior.mean), nearest)
    torch.testing.assert_close(vae(inputs()), decoded(state, nearest, SHAPE))


def test_codes_of_several_numbers_are_refused(tmp_path: Path) -> None:
    state = default_state(SHAPE, LATENTS, log_var=False) | {"quantizer.embeddings.weight": torch.randn(8, 2)}
    write_folder(tmp_path / "f", "VQVAEConfig", SHAPE, LATENTS, state)
    assert "codes have 2 numbers" in refused(tmp_path).message


def test_data_of_another_shape_but_as_many_numbers_fits(tmp_path: Path) -> None:
    state = default_state((16,), LATENTS)
    write_folder(tmp_path / "f", "VAEConfig", (16,), LATENTS, state)
    vae = opened(tmp_path).vae
    assert (vae.input_shape, vae.output_shape) == (SHAPE, SHAPE)
    torch.testing.assert_close(vae(inputs()), decoded(state, reference(state, inputs())[0], SHAPE))
    # Of another size it stays what it is, and the load-time check compares it with the data.
    assert opened(tmp_path, (1, 5, 5)).vae.input_shape == (16,)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no model_config.json"),
        ("[1]", "no JSON mapping"),
        ('{"name": "VAEConfig"}', "lacks name, latent_dim or input_dim"),
        ('{"name": "VAEConfig", "latent_dim": 1e400, "input_dim": [1, 4, 4]}', "no JSON mapping"),
        ('{"name": "VAEConfig", "latent_dim": 3, "input_dim": [1, 1%s]}' % ("0" * 400), "no sizes"),
        ('{"name": "HVAEConfig", "latent_dim": 3, "input_dim": [1, 4, 4]}', "holds a HVAE"),
    ],
)
def test_other_folders_are_refused(content: str | None, told: str, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    if content is not None:
        (tmp_path / "f" / "model_config.json").write_text(content)
    error = refused(tmp_path)
    assert error.code == "CV129"
    assert told in error.message


def test_weights_that_do_not_fit_are_told(tmp_path: Path) -> None:
    state = default_state(SHAPE, LATENTS)
    folder = write_folder(tmp_path / "f", "VAEConfig", SHAPE, LATENTS, state)
    torch.save({"model_state_dict": {**state, "encoder.extra": torch.zeros(1)}}, folder / "model.pt")
    error = refused(tmp_path)
    assert (error.code, "encoder does not fit" in error.message, "extra" in error.message) == ("CV103", True, True)
    del state["encoder.embedding.weight"]
    torch.save({"model_state_dict": state}, folder / "model.pt")
    assert "lack encoder.embedding.weight" in refused(tmp_path).message
    torch.save(state, folder / "model.pt")
    assert refused(tmp_path).code == "CV126"


class OwnEncoder(nn.Module):
    """A user's encoder as pythae wants it: outputs by name."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(16, 2 * LATENTS)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        mean, second = self.lin(x.flatten(1)).chunk(2, 1)
        return {"embedding": mean, "log_covariance": second}


class OwnDecoder(nn.Module):
    """A user's decoder as pythae wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(LATENTS, 16)

    def forward(self, z: Tensor) -> dict[str, Tensor]:
        return {"reconstruction": torch.tanh(self.lin(z)).reshape(-1, *SHAPE)}


def test_pickled_networks_need_leave_and_take_the_weights_of_model_pt(tmp_path: Path) -> None:
    encoder, decoder = OwnEncoder(), OwnDecoder()
    state = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    state |= {f"decoder.{key}": value for key, value in decoder.state_dict().items()}
    own = {"uses_default_encoder": False, "uses_default_decoder": False}
    folder = write_folder(tmp_path / "f", "VAEConfig", SHAPE, LATENTS, state, **own)
    assert "there is no encoder.pkl" in refused(tmp_path).message
    for name, fresh in (("encoder", OwnEncoder()), ("decoder", OwnDecoder())):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(fresh))
    error = refused(tmp_path)
    assert (error.code, "encoder.pkl" in error.message) == ("CV117", True)
    with allow_code():
        found = opened(tmp_path)
    x = inputs()
    torch.testing.assert_close(found.vae.encode(x).mean, encoder(x)["embedding"])
    torch.testing.assert_close(found.vae(x), decoder(encoder(x)["embedding"])["reconstruction"])
    assert "of the user's own" in found.facts["architecture"]
    (folder / "encoder.pkl").write_bytes(b"cno_such_library\nEncoder\n.")
    with allow_code():
        error = refused(tmp_path)
    assert (error.code, "no_such_library" in error.message) == ("CV118", True)


def test_other_weights_are_another_network(tmp_path: Path) -> None:
    identities = set()
    for number in range(2):
        state = default_state(SHAPE, LATENTS)
        write_folder(tmp_path / str(number) / "f", "VAEConfig", SHAPE, LATENTS, state)
        identities.add(opened(tmp_path / str(number)).identity)
    config = tmp_path / "0" / "f" / "model_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "name": "BetaVAEConfig"}))
    identities.add(opened(tmp_path / "0").identity)
    assert len(identities) == 3
