"""A 1-D convolutional VAE of sound: strided convolutions, dilated residual blocks, transposed convolutions."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.real.weights import settle
from causalvae.models.vae import VAE

SAMPLES = 4096
_WIDTHS = (16, 32, 64, 64)
_STRIDE = 4
_LATENTS = 16


class DilatedResidual(nn.Module):
    """ELU and a dilated convolution, ELU and a convolution of width 1, added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        y: Tensor = self.conv2(F.elu(self.conv1(F.elu(x))))
        return x + y


class AudioEncoder(nn.Module):
    """4,096 samples through three strides of 4 to posterior parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, _WIDTHS[0], 7, padding=3)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                DilatedResidual(before, 1),
                DilatedResidual(before, 3),
                nn.ELU(),
                nn.Conv1d(before, after, 2 * _STRIDE, stride=_STRIDE, padding=_STRIDE // 2),
            )
            for before, after in pairwise(_WIDTHS)
        )
        self.head = nn.Linear(_WIDTHS[-1] * SAMPLES // _STRIDE**3, 2 * _LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        """Posterior parameters, (batch, 2 * latents)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        parameters: Tensor = self.head(F.elu(x).flatten(1))
        return parameters


class AudioDecoder(nn.Module):
    """The encoder's mirror image."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Linear(_LATENTS, _WIDTHS[-1] * SAMPLES // _STRIDE**3)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ELU(),
                nn.ConvTranspose1d(before, after, 2 * _STRIDE, stride=_STRIDE, padding=_STRIDE // 2),
                DilatedResidual(after, 1),
                DilatedResidual(after, 3),
            )
            for before, after in zip(_WIDTHS[::-1], _WIDTHS[-2::-1], strict=False)
        )
        self.exit = nn.Conv1d(_WIDTHS[0], 1, 7, padding=3)

    def forward(self, z: Tensor) -> Tensor:
        """The sound before tanh, (batch, 1, samples)."""
        x = self.entry(z).unflatten(1, (_WIDTHS[-1], SAMPLES // _STRIDE**3))
        for block in self.blocks:
            x = block(x)
        sound: Tensor = self.exit(F.elu(x))
        return sound


def audio_vae() -> VAE:
    """Sound in [-1, 1]."""
    return settle(
        lambda: VAE(
            AudioEncoder(),
            AudioDecoder(),
            _LATENTS,
            (1, SAMPLES),
            activation="tanh",
            likelihood="gaussian",
            input_range=(-1.0, 1.0),
        )
    )
