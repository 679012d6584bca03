"""A ladder VAE of images: three levels of latents, residual blocks with batch normalisation and SiLU."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.real.weights import settle
from causalvae.models.vae import VAE

# Latents of each level, from the lowest to the highest, and channels and side of the features that they are read from.
_LEVELS = ((8, 24, 32), (6, 32, 16), (4, 48, 8))
_LATENTS = sum(level[0] for level in _LEVELS)


class Residual(nn.Module):
    """Batch normalisation, SiLU and a convolution, twice, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        y: Tensor = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        return x + y


class LadderEncoder(nn.Module):
    """64 x 64 images to the means and log-variances of all levels: two heads a level."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, _LEVELS[0][1], 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Residual(channels) for _, channels, _ in _LEVELS)
        widths = [channels for _, channels, _ in _LEVELS]
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in pairwise(widths)
        )
        self.means = nn.ModuleList(nn.Linear(channels * 16, size) for size, channels, _ in _LEVELS)
        self.logvars = nn.ModuleList(nn.Linear(channels * 16, size) for size, channels, _ in _LEVELS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each (batch, latents), the lowest level first."""
        x = self.stem(x)
        means, logvars = [], []
        for level, block in enumerate(self.blocks):
            if level:
                x = self.down[level - 1](x)
            x = block(x)
            features = F.adaptive_avg_pool2d(x, 4).flatten(1)
            means.append(self.means[level](features))
            logvars.append(self.logvars[level](features))
        return torch.cat(means, 1), torch.cat(logvars, 1)


class LadderDecoder(nn.Module):
    """From the highest level down: each level's latents are added to the upsampled features of the one above."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.ModuleList(nn.Linear(size, channels * 16) for size, channels, _ in _LEVELS)
        self.blocks = nn.ModuleList(Residual(channels) for _, channels, _ in _LEVELS)
        widths = [channels for _, channels, _ in _LEVELS]
        self.merge = nn.ModuleList(nn.Conv2d(above + own, own, 1) for own, above in pairwise(widths))
        self.norm = nn.BatchNorm2d(widths[0])
        self.exit = nn.ConvTranspose2d(widths[0], 1, 4, stride=2, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Logits, (batch, 1, 64, 64)."""
        parts = z.split([size for size, _, _ in _LEVELS], 1)
        y: Tensor | None = None
        for level in reversed(range(len(_LEVELS))):
            _, channels, side = _LEVELS[level]
            own = self.enter[level](parts[level]).unflatten(1, (channels, 4, 4))
            own = F.interpolate(own, size=(side, side), mode="nearest")
            if y is not None:
                own = self.merge[level](torch.cat([F.interpolate(y, scale_factor=2.0, mode="nearest"), own], 1))
            y = self.blocks[level](own)
        logits: Tensor = self.exit(F.silu(self.norm(y)))
        return logits


def ladder_vae() -> VAE:
    """Its latents have a group for each level."""
    starts = [sum(size for size, _, _ in _LEVELS[:level]) for level in range(len(_LEVELS) + 1)]
    groups = {f"level{level + 1}": (starts[level], starts[level + 1]) for level in range(len(_LEVELS))}
    return settle(lambda: VAE(LadderEncoder(), LadderDecoder(), _LATENTS, (1, 64, 64), layout="heads", groups=groups))
