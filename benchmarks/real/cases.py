"""The networks of the table: how each is made, what it is given, and where it is patched."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.networks import residual_vae
from benchmarks.real import published
from benchmarks.real.audio import SAMPLES, audio_vae
from benchmarks.real.convolutional import ladder_vae
from benchmarks.real.genes import GENES, gene_vae
from benchmarks.real.transformer import transformer_vae
from benchmarks.workload import SEED, SweptSite, TintedSprites, Workload, measure_area
from causalvae.data.dataset import Dataset, DspritesDataset
from causalvae.data.factors import FloatArray, Rows
from causalvae.data.pairs import draw_pairs
from causalvae.models.loading import assemble
from causalvae.models.vae import VAE


class Rendered(DspritesDataset):
    """The factors of dSprites, shown in another way than as images of sprites.

    Parameters
    ----------
    shape : tuple of int
        Of an input.
    show : callable
        From factor values, (n, 5), to inputs, (n, *shape).
    """

    def __init__(self, shape: tuple[int, ...], show: Callable[[FloatArray], FloatArray]) -> None:
        super().__init__()
        self.input_shape = shape
        self._show = show

    def inputs(self, rows: Rows) -> Tensor:
        return torch.from_numpy(self._show(self.space.values_of(rows)).astype(np.float32))

    def truth(self, rows: Rows) -> dict[str, FloatArray]:
        return {}

    def describe(self) -> dict[str, Any]:
        return {"source": "dsprites", "origin": "rendered"}


def show_sound(values: FloatArray) -> FloatArray:
    """A tone whose loudness is the scale, pitch the x, timbre the shape, and decay the y of a sprite."""
    time_ = np.arange(SAMPLES) / SAMPLES
    shape, scale, phase, x, y = values.T[:, :, None]
    pitch = 40.0 * 2.0 ** (2.0 * x)
    wave = sum(np.sin(2 * np.pi * k * pitch * time_ + k * phase) / k**shape for k in range(1, 6))
    sound: FloatArray = (0.4 * scale * wave * np.exp(-3.0 * y * time_))[:, None]
    return sound


def show_genes(values: FloatArray) -> FloatArray:
    """Log counts of genes whose logits are smooth functions of the factors."""
    rng = np.random.default_rng(SEED)
    features = np.concatenate([values, np.sin(values), np.cos(values)], axis=1)
    logits = features @ rng.normal(0.0, 0.7, (features.shape[1], GENES)) + rng.normal(0.0, 1.0, GENES)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    counts: FloatArray = np.log1p(1e4 * shares / shares.sum(1, keepdims=True))
    return counts


@dataclass(frozen=True)
class Case:
    """One network of the table.

    Parameters
    ----------
    name, structure : str
    make : callable
        Gives the network with its weights.
    dataset : callable
    sites : tuple of str
        From early in the encoder to late in the decoder.
    units, pairs : int
        Units of each site, and counterfactual pairs.
    budget : str
        The declared memory, as a spec writes it.
    package : str, optional
        A package that is needed.
    """

    name: str
    structure: str
    make: Callable[[], VAE]
    dataset: Callable[[], Dataset]
    sites: tuple[str, ...]
    units: int = 8
    pairs: int = 16
    budget: str = "512 MB"
    package: str | None = None

    def workload(self, units: int | None = None, pairs: int | None = None, sites: int | None = None) -> Workload:
        """The sweep; with less of everything where that is given."""
        vae = self.make()
        # As its user has it: capturing a network may change its layout and turn off kernels.
        plain = copy.deepcopy(vae).eval()
        began = time.process_time()
        model = assemble(vae, False, self.name, {})
        seconds = time.process_time() - began
        dataset = self.dataset()
        drawn = draw_pairs(dataset, factor="scale", samples=pairs or self.pairs, seed=SEED, contrast="increase")
        chosen = self.sites if sites is None else self.sites[:: max(1, len(self.sites) // sites)][:sites]
        swept = [
            SweptSite(name, name, tuple(range(min(units or self.units, model.components.site(name).units))))
            for name in chosen
        ]
        inputs = [dataset.inputs(rows) for rows in (drawn.base, drawn.counterfactual)]
        return Workload(self.name, model, plain, dataset, tuple(swept), inputs[0], inputs[1], measure_area, seconds)


def _kl_sites(levels: int, late: str) -> tuple[str, ...]:
    return (
        "encoder.body.down_blocks.0.resnets.0.conv1",
        f"encoder.body.down_blocks.{levels - 1}.resnets.0.conv1",
        "decoder.body.mid_block.resnets.0.conv1",
        "decoder.body.up_blocks.1.resnets.1.conv1",
        f"decoder.body.up_blocks.{levels - 1}.resnets.0.conv1",
        f"decoder.body.up_blocks.{levels - 1}.resnets.2.{late}",
    )


def _colour(pixels: int) -> Callable[[], Dataset]:
    return partial(TintedSprites, 1, pixels)


CASES = (
    *(
        Case(
            f"AutoencoderKL, {pixels} px",
            "group norm, SiLU, residual blocks, attention, 4 resolutions; widths an eighth of Stable Diffusion's",
            partial(published.autoencoder_kl, pixels),
            _colour(pixels),
            _kl_sites(4, "conv1"),
            pairs=1024 // pixels,
            package="diffusers",
        )
        for pixels in (64, 128)
    ),
    *(
        Case(
            f"VQModel, {pixels} px",
            "group norm, SiLU, residual blocks, attention, 256 codes, 3 resolutions; widths an eighth",
            partial(published.vq_model, pixels),
            _colour(pixels),
            _kl_sites(3, "conv1"),
            pairs=1024 // pixels,
            package="diffusers",
        )
        for pixels in (64, 128)
    ),
    Case(
        "AutoencoderTiny, 64 px",
        "ReLU, residual blocks without norm, upsampling; widths a quarter",
        partial(published.autoencoder_tiny, 64),
        _colour(64),
        (
            "encoder.body.layers.1.conv.0",
            "encoder.body.layers.8.conv.2",
            "encoder.body.layers.14",
            "decoder.body.layers.2.conv.0",
            "decoder.body.layers.7.conv.0",
            "decoder.body.layers.17.conv.2",
        ),
        package="diffusers",
    ),
    Case(
        "ResNet VAE",
        "batch norm, ReLU, residual blocks, upsampling",
        residual_vae,
        _colour(64),
        (
            "encoder.stem",
            "encoder.block1.conv1",
            "encoder.block3.conv2",
            "decoder.entry",
            "decoder.block1.conv1",
            "decoder.block3.norm1",
        ),
        pairs=32,
    ),
    Case(
        "ladder VAE",
        "three levels with two heads each, batch norm, SiLU, concatenation, upsampling",
        ladder_vae,
        DspritesDataset,
        (
            "encoder.stem",
            "encoder.blocks.1.conv1",
            "encoder.blocks.2.conv2",
            "decoder.enter.2",
            "decoder.blocks.1.conv1",
            "decoder.blocks.0.conv1",
        ),
        pairs=32,
    ),
    Case(
        "1-D audio VAE",
        "4,096 samples, dilated residual convolutions, ELU, transposed convolutions",
        audio_vae,
        lambda: Rendered((1, SAMPLES), show_sound),
        (
            "encoder.stem",
            "encoder.blocks.1.0.conv1",
            "encoder.blocks.2.1.conv2",
            "decoder.entry",
            "decoder.blocks.1.2.conv1",
            "decoder.blocks.2.3.conv1",
        ),
        pairs=32,
    ),
    Case(
        "2,000-gene perceptron VAE",
        "two hidden layers of 256 on each side, batch norm, leaky ReLU, two heads, softmax over genes",
        gene_vae,
        lambda: Rendered((GENES,), show_genes),
        (
            "encoder.hidden.0.0",
            "encoder.hidden.1.1",
            "encoder.mean",
            "decoder.hidden.0.1",
            "decoder.hidden.1.1",
        ),
        units=256,
        pairs=64,
    ),
    Case(
        "transformer VAE",
        "64 tokens of width 64, three blocks on each side, 4 heads, layer norm, GELU; units are tokens",
        transformer_vae,
        DspritesDataset,
        (
            "encoder.body.layers.0.linear1",
            "encoder.body.layers.1.linear2",
            "encoder.body.layers.2.linear1",
            "decoder.body.layers.0.linear1",
            "decoder.body.layers.2.linear1",
        ),
        units=16,
        pairs=32,
    ),
)
