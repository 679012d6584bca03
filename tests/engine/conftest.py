"""A small convolutional VAE and small labelled images, which a test can run thousands of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.grid import Grid
from causalvae.models.loading import Model, assemble
from causalvae.models.vae import VAE

LATENTS = 4
SIDE = 12


class Blobs(Grid):
    """Gaussian bumps whose width and place are known: a `Dataset` of 1 x 12 x 12 images."""

    name = "blobs"
    # A world that can be asked without end: pairs may repeat.
    size = None
    space = FactorSpace(
        (
            Factor("kind", "categorical", (0.0, 1.0), ("bump", "ring")),
            Factor("scale", "ordinal", (1.0, 1.5, 2.0, 2.5)),
            Factor("x", "ordinal", tuple(np.linspace(3.0, 8.0, 6).tolist())),
            Factor("y", "ordinal", tuple(np.linspace(3.0, 8.0, 6).tolist())),
        )
    )
    input_shape = (1, SIDE, SIDE)

    def inputs(self, levels: IntArray) -> Tensor:
        kind, scale, x, y = (column[:, None, None] for column in self.space.values_of(levels).T)
        grid = np.arange(SIDE)
        distance = np.hypot(grid[None, None, :] - x, grid[None, :, None] - y) / scale
        images = np.exp(-0.5 * (distance - 1.5 * kind) ** 2)
        return torch.from_numpy(images[:, None]).float()

    def describe(self) -> dict[str, Any]:
        return {"source": "blobs"}


class SmallEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.lin1 = nn.Linear(72, 20)
        self.head = nn.Linear(20, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.lin1(x.flatten(1)))
        return self.head(x)


class SmallDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin1 = nn.Linear(LATENTS, 20)
        self.lin2 = nn.Linear(20, 72)
        self.convT1 = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1)
        self.convT2 = nn.ConvTranspose2d(6, 1, 4, stride=2, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.lin1(z))
        x = torch.relu(self.lin2(x))
        x = torch.relu(self.convT1(x.view(-1, 8, 3, 3)))
        return self.convT2(x)


def small_vae(seed: int) -> VAE:
    """Random weights, large enough for interventions to move the output visibly."""
    torch.manual_seed(seed)
    vae = VAE(SmallEncoder(), SmallDecoder(), LATENTS, (1, SIDE, SIDE))
    with torch.no_grad():
        for parameter in vae.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6**0.5)
            else:
                parameter.normal_(0, 0.2)
    return vae


@pytest.fixture
def same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is fitted and selected on the very samples it is tested on, so that a test can know both."""
    monkeypatch.setattr("causalvae.engine.runner.split_of", lambda cohort, *rest: cohort)


@pytest.fixture(scope="session")
def blobs() -> Blobs:
    return Blobs()


@pytest.fixture(scope="session")
def mean_model() -> Model:
    return assemble(small_vae(3), False, "small", {})


@pytest.fixture(scope="session")
def sample_model() -> Model:
    return assemble(small_vae(3), True, "small", {})


@pytest.fixture(scope="session")
def measure() -> Callable[[Tensor], Tensor]:
    """Area, a random positive linear readout and a non-linear one."""
    weights = torch.rand(SIDE * SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def attributes(images: Tensor) -> Tensor:
        flat = images.flatten(1).double()
        area = flat.sum(1)
        return torch.stack([area, flat @ weights, (flat**2).sum(1) / area], dim=1)

    return attributes
