"""Further networks: a residual convolutional VAE, and a diffusers AutoencoderKL behind the VAE interface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from math import prod
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.arm import Outcomes, compare, outcome_scale
from benchmarks.engine import EngineArm, pass_sets
from benchmarks.peers import make_peer
from benchmarks.timing import time_call
from benchmarks.workload import Workload, assembled_workload
from causalvae.models.vae import VAE

_LATENTS = 16


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation next to a skip connection, after a change of resolution."""

    def __init__(self, channels_in: int, channels_out: int, resize: nn.Module) -> None:
        super().__init__()
        self.resize = resize
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.skip = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The block's output at the new resolution."""
        x = self.resize(x)
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.skip(x))


class ResidualEncoder(nn.Module):
    """64 x 64 colour images to posterior parameters through three halvings."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.block1 = ResidualBlock(16, 32, nn.Identity())
        self.block2 = ResidualBlock(32, 32, nn.AvgPool2d(2))
        self.block3 = ResidualBlock(32, 64, nn.AvgPool2d(2))
        self.head = nn.Linear(64 * 8 * 8, 2 * _LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latents)."""
        x = torch.relu(self.stem(x))
        x = self.block3(self.block2(self.block1(x)))
        parameters: Tensor = self.head(x.flatten(1))
        return parameters


class ResidualDecoder(nn.Module):
    """Latents to 64 x 64 colour logits through three doublings."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Linear(_LATENTS, 64 * 8 * 8)
        self.block1 = ResidualBlock(64, 64, nn.Identity())
        self.block2 = ResidualBlock(64, 32, nn.Upsample(scale_factor=2))
        self.block3 = ResidualBlock(32, 16, nn.Upsample(scale_factor=2))
        self.exit = nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Logits, (batch, 3, 64, 64)."""
        x = torch.relu(self.entry(z)).unflatten(1, (64, 8, 8))
        logits: Tensor = self.exit(self.block3(self.block2(self.block1(x))))
        return logits


def residual_vae() -> VAE:
    """A residual VAE with random weights and random running statistics, for evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = VAE(ResidualEncoder(), ResidualDecoder(), _LATENTS, (3, 64, 64))
        amplify(vae)
        for layer in vae.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean = 0.1 * torch.randn(layer.num_features)
                layer.running_var = 0.5 + torch.rand(layer.num_features)
    return vae.eval()


def amplify(network: nn.Module) -> None:
    """Scale freshly drawn weights so that a layer keeps the signal's size, in place.

    torch's default draw shrinks it from layer to layer: what one channel does to the image is then lost in rounding.
    """
    with torch.no_grad():
        for value in network.parameters():
            if value.ndim > 1:
                value.mul_(6**0.5)


class KLEncoder(nn.Module):
    """A diffusers encoder whose moments are laid out as a vector: all means, then all log-variances."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.net = network.encoder
        self.quant = network.quant_conv

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latents)."""
        moments: Tensor = self.quant(self.net(x))
        return moments.flatten(1)


class KLDecoder(nn.Module):
    """The decoder that goes with `KLEncoder`."""

    def __init__(self, network: Any, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.post_quant = network.post_quant_conv
        self.net = network.decoder
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        """Images, (batch, 3, 64, 64)."""
        images: Tensor = self.net(self.post_quant(z.unflatten(1, self.shape)))
        return images


class PlainUpsample(nn.Module):
    """diffusers' upsampling layer without its branch on the batch size.

    That branch only makes batches of 64 and more contiguous, but `torch.export` then holds the batch axis below 64.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.conv = layer.conv

    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        """Twice the resolution, nearest neighbour, then the layer's convolution."""
        larger: Tensor = self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return larger


def autoencoder_kl(pixels: int = 64) -> VAE:
    """A small AutoencoderKL of diffusers with random weights: four latent maps, each a quarter of the image wide."""
    from diffusers import AutoencoderKL

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: Any = AutoencoderKL(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(16, 32, 32),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=8,
            sample_size=pixels,
        )
    amplify(network)
    for block in network.decoder.up_blocks:
        if block.upsamplers is not None:
            block.upsamplers = nn.ModuleList(PlainUpsample(layer) for layer in block.upsamplers)
    shape = (4, pixels // 4, pixels // 4)
    return VAE(
        KLEncoder(network),
        KLDecoder(network, shape),
        latent_dim=prod(shape),
        input_shape=(3, pixels, pixels),
        activation="none",
        likelihood="gaussian",
    ).eval()


_RESIDUAL_SITES = ("encoder.block1.conv1", "encoder.block3.conv2", "decoder.block1.conv1", "decoder.block3.norm1")
KL_SITES = (
    "encoder.net.down_blocks.0.resnets.0.conv1",
    "encoder.net.down_blocks.2.resnets.0.conv1",
    "decoder.net.mid_block.resnets.0.conv1",
    "decoder.net.up_blocks.0.resnets.0.conv1",
    "decoder.net.up_blocks.2.resnets.1.conv1",
)


@dataclass(frozen=True)
class NetworkResult:
    """Engine against hook loop on a network.

    Parameters
    ----------
    network : str
    parameters, units, pairs : int
    hooks, engine : dict
        Site -> CPU seconds, medians over rounds; the engine's without its clean runs.
    clean, prepared : float
        CPU seconds of the engine's clean runs, and of the hook loop's over all sites.
    capture : float
        CPU seconds of capture.
    live : float
        Share of rows that were run.
    difference : list of float
        See `benchmarks.arm.compare`.
    """

    network: str
    parameters: int
    units: int
    pairs: int
    hooks: dict[str, float]
    engine: dict[str, float]
    clean: float
    prepared: float
    capture: float
    live: float
    difference: list[float]

    @property
    def ratio(self) -> float:
        """How many times the engine is faster, clean runs counted on both sides."""
        return (sum(self.hooks.values()) + self.prepared) / (sum(self.engine.values()) + self.clean)


def further_networks(channels: int = 8, pairs: int = 16, rounds: int = 3) -> tuple[list[NetworkResult], list[str]]:
    """Every further network that can be built here, and those whose package is missing."""
    found = [
        measure_network(assembled_workload("residual VAE", residual_vae(), _RESIDUAL_SITES, channels, pairs, 1), rounds)
    ]
    if find_spec("diffusers") is None:
        return found, ["diffusers AutoencoderKL"]
    kl = assembled_workload("diffusers AutoencoderKL", autoencoder_kl(), KL_SITES, channels, pairs, 1)
    return [*found, measure_network(kl, rounds)], []


def measure_network(workload: Workload, rounds: int) -> NetworkResult:
    """A channel sweep by hook loop and engine, taking turns."""
    engine, hooks = EngineArm(workload, pass_sets(workload)[-1]), make_peer("hook loop", workload)
    for site in workload.sites[:1]:
        hooks.prepare(site)
        hooks.run(site, [0])
        engine.run(site, [0])
    slow: dict[str, list[float]] = {}
    fast: dict[str, list[float]] = {}
    prepared, clean = [], []
    theirs: list[Outcomes] = []
    mine: list[Outcomes] = []
    live = 0
    for turn in range(rounds):
        for site in workload.sites:
            units = list(range(site.units))
            prepared.append(time_call(partial(hooks.prepare, site))[0])
            spent, raw = time_call(partial(hooks.run, site, units))
            slow.setdefault(site.name, []).append(spent)
            base, _ = time_call(engine.run_clean)
            clean.append(base)
            whole, table = time_call(partial(engine.run, site, units))
            fast.setdefault(site.name, []).append(whole - base)
            if turn == 0:
                theirs.append(hooks.read(raw, units))
                mine.append(engine.read(table, units))
                live += engine.count_live(table)
    return NetworkResult(
        network=workload.name,
        parameters=sum(value.numel() for value in workload.plain.parameters()),
        units=workload.units,
        pairs=workload.pairs,
        hooks={name: median(values) for name, values in slow.items()},
        engine={name: median(values) for name, values in fast.items()},
        clean=median(clean),
        prepared=median(prepared) * len(workload.sites),
        capture=workload.capture_seconds,
        live=live / (workload.units * workload.pairs),
        difference=compare(mine, theirs, outcome_scale(workload)),
    )
