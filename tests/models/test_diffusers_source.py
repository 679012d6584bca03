"""Folders of diffusers: real small configurations with random weights, against diffusers' own encode and decode."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae.models import diffusers_source
from causalvae.models.kinds.diffusers import DiffusersModel
from causalvae.models.opened import Opened
from causalvae.models.sources import open_source

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")

SHAPE = (3, 16, 16)
TWO_LEVELS = {
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "block_out_channels": (8, 8),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 16,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "kl": ("AutoencoderKL", {**TWO_LEVELS, "latent_channels": 4, "scaling_factor": 0.18215, "shift_factor": 0.1}),
    "bare": (
        "AutoencoderKL",
        {**TWO_LEVELS, "use_quant_conv": False, "use_post_quant_conv": False, "mid_block_add_attention": False},
    ),
    "vq": ("VQModel", {**TWO_LEVELS, "latent_channels": 3, "num_vq_embeddings": 16, "vq_embed_dim": 2}),
    "tiny": (
        "AutoencoderTiny",
        {
            "encoder_block_out_channels": (8, 8),
            "decoder_block_out_channels": (8, 8),
            "num_encoder_blocks": (1, 1),
            "num_decoder_blocks": (1, 1),
        },
    ),
}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("diffusers")
    made = {}
    for name, (kind, config) in KINDS.items():
        torch.manual_seed(0)
        network = getattr(diffusers, kind)(**config).eval()
        if name == "vq":
            # A trained codebook spreads as the latents do; a fresh one would give a single code.
            network.quantize.embedding.weight.data.normal_(0.0, 0.3)
        network.save_pretrained(folder / name)
        made[name] = network
    return folder, made


def opened(folder: Path, path: str, shape: tuple[int, ...] = SHAPE) -> Opened:
    return open_source(DiffusersModel(source="diffusers", path=path), folder, shape)


def refused(folder: Path, path: str, shape: tuple[int, ...] = SHAPE) -> CausalVAEError:
    with pytest.raises(CausalVAEError) as caught:
        opened(folder, path, shape)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", list(KINDS))
def test_networks_compute_what_diffusers_computes(name: str, networks: tuple[Path, dict[str, Any]]) -> None:
    folder, made = networks
    found = opened(folder, name)
    vae, network = found.vae.eval(), made[name]
    x = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        encoded = network.encode(2 * x - 1)
        posterior = vae.encode(x)
        if name in ("kl", "bare"):
            mean = encoded.latent_dist.mean
            torch.testing.assert_close(posterior.logvar, encoded.latent_dist.logvar, rtol=1e-4, atol=1e-5)
        else:
            mean = encoded.latents
            assert posterior.is_point
        torch.testing.assert_close(posterior.mean, mean, rtol=1e-4, atol=1e-5)
        # Scaling factors belong to pipelines: neither diffusers' encode nor this source applies them.
        torch.testing.assert_close(vae(x), (network.decode(mean).sample + 1) / 2, rtol=1e-4, atol=1e-4)
        if name == "vq":
            codes = vae.pass_on(posterior.mean)
            expected = network.quantize(mean)[0]
            torch.testing.assert_close(codes, expected, rtol=1e-4, atol=1e-5)
            assert len(codes.movedim(1, -1).reshape(-1, 2).unique(dim=0)) > 1
    assert vae.latent_shape == tuple(mean.shape[1:])
    assert vae.latent_dim == mean.shape[1]
    assert (vae.input_range, vae.activation, vae.likelihood) == ((-1, 1), "none", "gaussian")


def test_log_variances_stop_where_diffusers_stops_them(networks: tuple[Path, dict[str, Any]]) -> None:
    encoder = opened(networks[0], "kl").vae.encoder
    with torch.no_grad():
        encoder.quant_conv.bias[4:] = torch.tensor([-100.0, 100.0, 0.0, 0.0])
    _, logvar = encoder(torch.zeros(2, *SHAPE))
    assert logvar[:, 0].unique().tolist() == [-30]
    assert logvar[:, 1].unique().tolist() == [20]


def test_a_pipelines_folder_is_entered(networks: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    shutil.copytree(networks[0] / "tiny", tmp_path / "pipe" / "vae")
    (tmp_path / "pipe" / "model_index.json").write_text("{}")
    assert opened(tmp_path, "pipe").identity == opened(networks[0], "tiny").identity
    # Weights of their own precision are called otherwise, and are run in float32.
    weights = tmp_path / "pipe" / "vae" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    networks[1]["tiny"].half().save_pretrained(tmp_path / "pipe" / "vae", variant="fp16")
    networks[1]["tiny"].float()
    half = opened(tmp_path, "pipe")
    assert {value.dtype for value in half.vae.state_dict().values()} == {torch.float32}


def test_what_is_wrong_is_told(networks: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = networks[0]
    assert (refused(folder, "none").code, refused(folder, "kl", (1, 16, 16)).code) == ("CV132", "CV104")
    assert "3 channels" in refused(folder, "kl", (1, 16, 16)).message
    shutil.copytree(folder / "tiny", tmp_path / "f")
    weights = tmp_path / "f" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert refused(tmp_path, "f").code == "CV132"
    weights.unlink()
    assert "no diffusion_pytorch_model.safetensors" in refused(tmp_path, "f").message
    weights.write_bytes(whole)
    config = json.loads((tmp_path / "f" / "config.json").read_text())
    for change, told in (
        ({"_class_name": "UNet2DModel"}, "holds a UNet2DModel"),
        ({"num_encoder_blocks": [1, 2]}, "do not fit"),
    ):
        (tmp_path / "f" / "config.json").write_text(json.dumps({**config, **change}))
        error = refused(tmp_path, "f")
        assert error.code == "CV132"
        assert told in error.message


def test_without_diffusers_the_extra_is_named(
    networks: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusers_source, "find_spec", lambda name: None)
    error = refused(networks[0], "kl")
    assert (error.code, "causalvae[diffusers]" in error.remedy) == ("CV131", True)
