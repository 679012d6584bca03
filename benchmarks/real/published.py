"""Autoencoders of diffusers with narrow layers and random weights, opened as a user opens a saved folder."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.networks import amplify
from causalvae.models.diffusers_source import open_diffusers
from causalvae.models.vae import VAE
from causalvae.spec.model_section import MODEL_TAG

# Stable Diffusion's autoencoder has (128, 256, 512, 512); its other sizes are the same here.
_WIDTHS = (16, 32, 64, 64)
_GROUPS = 8


def autoencoder_kl(pixels: int) -> VAE:
    """AutoencoderKL: four resolutions, two residual blocks each (three in the decoder), attention in the middle."""
    from diffusers import AutoencoderKL

    return _open(
        AutoencoderKL,
        pixels,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=_WIDTHS,
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=_GROUPS,
    )


def vq_model(pixels: int) -> VAE:
    """VQModel: three resolutions, attention in the middle, 256 codes."""
    from diffusers import VQModel

    return _open(
        VQModel,
        pixels,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=_WIDTHS[:3],
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=_GROUPS,
        num_vq_embeddings=256,
    )


def autoencoder_tiny(pixels: int) -> VAE:
    """AutoencoderTiny: residual blocks with ReLU and without normalisation; a quarter of its 64 channels."""
    from diffusers import AutoencoderTiny

    return _open(AutoencoderTiny, pixels, encoder_block_out_channels=(16,) * 4, decoder_block_out_channels=(16,) * 4)


def _open(kind: Any, pixels: int, **config: Any) -> VAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = kind(in_channels=3, out_channels=3, **config)
    amplify(network)
    section: Any = MODEL_TAG.read({"source": "diffusers", "path": "network"})
    with TemporaryDirectory() as folder:
        network.save_pretrained(Path(folder) / "network")
        return open_diffusers(section, Path(folder), (3, pixels, pixels)).vae
