"""Small networks, each with one thing that makes a network hard to take apart.

Each is the encoder of a VAE over vectors or images; `FIXTURES` says where a plain forward hook meets its sites.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from causalvae.models.vae import VAE

LATENTS = 3
WIDTH = 8
# What an `AnalysedNetwork` over a Gaussian posterior returns.
OUTPUTS = ("mean", "logvar", "latent", "output")


class PlainDecoder(nn.Module):
    def __init__(self, outputs: int = WIDTH) -> None:
        super().__init__()
        self.lin1 = nn.Linear(LATENTS, 12)
        self.lin2 = nn.Linear(12, outputs)

    def forward(self, z: Tensor) -> Tensor:
        return self.lin2(torch.relu(self.lin1(z)))


class ReusedModule(nn.Module):
    """One linear layer called three times, with an activation after each call."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.mix(x))
        x = torch.tanh(self.mix(x))
        x = torch.tanh(self.mix(x))
        return self.head(x)


class InPlaceRelu(nn.Module):
    """Activations that overwrite the value that they read."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.second = nn.Linear(10, 10)
        self.head = nn.Linear(10, 2 * LATENTS)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.first(x))
        x = self.second(x)
        x.relu_()
        x += 0.5
        return self.head(x)


class SkipConnection(nn.Module):
    """A value before its activation that is read twice: it has no single value after the activation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.second = nn.Linear(10, 10)
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        before = self.first(x)
        x = self.second(torch.relu(before))
        return self.head(torch.relu(x) + before)


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Linear(10, LATENTS)
        self.logvar = nn.Linear(10, LATENTS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(x), self.logvar(x)


class TupleReturning(nn.Module):
    """A submodule that returns two values."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.heads = TwoHeads()

    def forward(self, x: Tensor) -> Tensor:
        mean, logvar = self.heads(torch.relu(self.first(x)))
        return torch.cat([mean, logvar], dim=1)


class BatchNormed(nn.Module):
    """Batch normalisation with statistics that are not the initial ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 4 * 4, 2 * LATENTS)
        with torch.no_grad():
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.norm(self.conv(x))).flatten(1))


def sequential() -> nn.Module:
    """Activations as modules, and a module without effect."""
    return nn.Sequential(
        nn.Linear(WIDTH, 10), nn.ReLU(), nn.Dropout(0.5), nn.Linear(10, 10), nn.LeakyReLU(), nn.Linear(10, 2 * LATENTS)
    )


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class Residual(nn.Module):
    """Two residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.block1 = Block()
        self.block2 = Block()
        self.head = nn.Linear(4, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block2(self.block1(self.stem(x))).mean((2, 3)))


class FunctionalActivations(nn.Module):
    """Activations of many kinds as functions."""

    KINDS = (torch.relu, F.leaky_relu, F.elu, F.gelu, F.silu, torch.tanh, torch.sigmoid, F.softplus, F.selu, F.relu6)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in self.KINDS)
        self.head = nn.Linear(WIDTH, 2 * LATENTS)
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.mul_(3)

    def forward(self, x: Tensor) -> Tensor:
        for layer, activation in zip(self.layers, self.KINDS, strict=True):
            x = activation(layer(x))
        return self.head(x)


class BatchSized(nn.Module):
    """Values that are made from the number of rows: a view by it, zeros of it, a weight spread over it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 12)
        self.token = nn.Parameter(torch.randn(1, 4))
        self.head = nn.Linear(12 + 4 + 2, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.shape[0]
        x = torch.relu(self.first(x)).view(rows, 3, 4).transpose(1, 2).reshape(rows, 12)
        return self.head(torch.cat([x, self.token.expand(rows, -1), torch.ones(rows, 2)], dim=1))


class MergedBatchAxis(nn.Module):
    """A view that merges the batch axis with another: the values in between have no row an input.

    The merged values of both branches meet, so that a change in one needs the kept values of the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.second = nn.Linear(WIDTH, WIDTH)
        self.part = nn.Linear(2, 3)
        self.head = nn.Linear(12, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        left = torch.relu(self.first(x)).reshape(-1, 2)
        right = torch.relu(self.second(x)).reshape(-1, 2)
        both = self.part(left * right)
        return self.head(both.reshape(-1, 12))


class MovedBatchAxis(nn.Module):
    """Steps first, rows second, as recurrent networks and attention have it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 5)
        self.gate = nn.Linear(WIDTH, 4)
        self.head = nn.Linear(5, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.tanh(self.first(x.view(-1, 4, 2).transpose(0, 1)))
        gate = torch.sigmoid(self.gate(x)).t().unsqueeze(-1)
        return self.head((steps * gate).sum(0))


class ConstantBuffer(nn.Module):
    """A buffer outside the state dict, a tensor made in forward, and one that is no buffer at all."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.head = nn.Linear(10, 2 * LATENTS)
        self.register_buffer("scale", torch.linspace(0.5, 1.5, 10), persistent=False)
        self.shift = torch.linspace(-1, 1, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x)) * self.scale + self.shift
        return self.head(x * torch.tensor([2.0, 1.0]).repeat(5))


class TiedWeights(nn.Module):
    """Two layers that share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.second = nn.Linear(WIDTH, WIDTH)
        self.second.weight = self.first.weight
        self.head = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))))


class DataDependent(nn.Module):
    """Control flow that depends on the values of a whole batch: another batch, another function."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x) if float(x.sum()) > 0 else -self.head(x)


class MixesRows(nn.Module):
    """An input's value depends on the other inputs of its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x - x.mean(0, keepdim=True))


class CountsItsCalls(nn.Module):
    """Changes a buffer in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 2 * LATENTS)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.head(x) + self.calls


class DrawsNoise(nn.Module):
    """Random in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + torch.randn_like(x))


@dataclass(frozen=True)
class Fixture:
    """A network's maker, its input shape, and where plain hooks meet its sites.

    `hooks` maps a site to (module path, call from 0): the module's forward-hook output is the site's value.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    hooks: dict[str, tuple[str, int]]
    absent: tuple[str, ...] = ()


def _outputs(*paths: str) -> dict[str, tuple[str, int]]:
    return {path: (path.removesuffix("@pre"), 0) for path in paths}


VECTOR, IMAGE = (WIDTH,), (1, 8, 8)
FIXTURES: dict[str, Fixture] = {
    "reused module": Fixture(
        ReusedModule,
        VECTOR,
        {
            "encoder.mix@pre": ("encoder.mix", 0),
            "encoder.mix#2@pre": ("encoder.mix", 1),
            "encoder.mix#3@pre": ("encoder.mix", 2),
            **_outputs("encoder.head", "encoder"),
        },
    ),
    "in-place": Fixture(InPlaceRelu, VECTOR, _outputs("encoder.head", "encoder.act")),
    "skip connection": Fixture(
        SkipConnection,
        VECTOR,
        _outputs("encoder.first", "encoder.second@pre", "encoder.head"),
        absent=("encoder.first@pre",),
    ),
    "tuple": Fixture(
        TupleReturning,
        VECTOR,
        _outputs("encoder.first@pre", "encoder.heads.mean", "encoder.heads.logvar"),
        absent=("encoder.heads",),
    ),
    "batch norm": Fixture(BatchNormed, IMAGE, _outputs("encoder.conv", "encoder.norm@pre", "encoder.head")),
    "sequential": Fixture(
        sequential,
        VECTOR,
        _outputs("encoder.0", "encoder.1", "encoder.3", "encoder.4", "encoder.5", "encoder"),
        absent=("encoder.0@pre",),
    ),
    "residual": Fixture(
        Residual,
        IMAGE,
        _outputs(
            "encoder.stem", "encoder.block1", "encoder.block1.conv1@pre", "encoder.block2.conv2", "encoder.block2"
        ),
    ),
    "functional activations": Fixture(
        FunctionalActivations,
        VECTOR,
        _outputs(*(f"encoder.layers.{layer}@pre" for layer in range(10)), "encoder.head"),
    ),
    "batch-sized": Fixture(BatchSized, VECTOR, _outputs("encoder.first@pre", "encoder.head")),
    "merged batch axis": Fixture(
        MergedBatchAxis,
        VECTOR,
        _outputs("encoder.first@pre", "encoder.second@pre", "encoder.head"),
        absent=("encoder.part",),
    ),
    "moved batch axis": Fixture(
        MovedBatchAxis, VECTOR, _outputs("encoder.gate@pre", "encoder.head"), absent=("encoder.first",)
    ),
    "constants": Fixture(ConstantBuffer, VECTOR, _outputs("encoder.first@pre", "encoder.head")),
    "tied weights": Fixture(TiedWeights, VECTOR, _outputs("encoder.first@pre", "encoder.second@pre", "encoder.head")),
}


def make_vae(name: str, seed: int = 0) -> VAE:
    """A VAE whose encoder is one of the fixtures."""
    torch.manual_seed(seed)
    fixture = FIXTURES[name]
    outputs = 1
    for axis in fixture.shape:
        outputs *= axis
    decoder: nn.Module = PlainDecoder(outputs)
    if len(fixture.shape) > 1:
        decoder = nn.Sequential(decoder, nn.Unflatten(1, fixture.shape))
    return VAE(fixture.make(), decoder, LATENTS, fixture.shape)
