"""Networks that a capture may stumble over, and where plain hooks meet each of their sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from causalvae.models.components import ComponentMap
from causalvae.models.vae import VAE
from tests.models import fixtures
from tests.models.fixtures import LATENTS, WIDTH, PlainDecoder
from tests.models.hook_loop import Tap


class SkipConnection(nn.Module):
    """A value that is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.second = nn.Linear(10, 10)
        self.act = nn.ReLU()
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        before = self.first(x)
        return self.head(self.act(self.second(torch.relu(before))) + before)


class InPlace(nn.Module):
    """Modules, methods and operators that overwrite what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.act = nn.ReLU(inplace=True)
        self.second = nn.Linear(10, 10)
        self.third = nn.Linear(10, 10)
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.act(self.first(x)))
        x.relu_()
        x = self.third(x)
        kept = x * 1
        x += 0.5
        x.mul_(2)
        return self.head(x + kept)


class BatchNormed(nn.Module):
    """Batch normalisation with statistics that are not the initial ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4 * 4 * 4, 2 * LATENTS)
        with torch.no_grad():
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(torch.relu(self.norm(self.conv(x))))
        return self.head(x.reshape(x.size(0), -1))


class ViewsImages(nn.Module):
    """Views an image as a vector, which only a contiguous one admits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.head = nn.Linear(4 * 4 * 4, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.sin(self.conv(x)).view(x.size(0), -1))


class RowwiseBranch(nn.Module):
    """Control flow that depends on the values of a row."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.second = nn.Linear(10, 10)
        self.left = nn.Linear(10, 10)
        self.right = nn.Linear(10, 10)
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(torch.relu(self.first(x)))
        rows = [self.left(row) if bool(row[0] > row[1]) else self.right(row) for row in x]
        return self.head(torch.tanh(torch.stack(rows)))


class AdaptiveDepth(nn.Module):
    """As many steps as the row that needs most of them; the others stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        depth = 1 + x[:, :1].abs().floor().clamp(max=3)
        for step in range(int(depth.max())):
            x = torch.where(depth > step, self.step(x), x)
        return self.head(x)


class SeldomSkips(nn.Module):
    """A module that is called for every input but those that no probe is like."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        usual = x[:, :1] > -100
        if bool(usual.any()):
            x = torch.where(usual, self.step(x), x)
        return self.head(x.clamp(-5, 5))


class WritesOnInput(nn.Module):
    """Changes the tensor that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        x += 0.5
        x.mul_(2)
        return self.head(torch.relu(self.first(x)))


class KeepsValues(nn.Module):
    """Puts a value on itself and reads it again in the same pass."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.second = nn.Linear(10, 10)
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        self.kept = self.first(x)
        x = self.second(torch.sin(self.kept))
        return self.head(torch.cos(x) + self.kept)


class CallsByClosure(nn.Module):
    """A copy of it would call the modules of the original."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.head = nn.Linear(10, 2 * LATENTS)
        self.call = lambda x: self.head(torch.sin(self.first(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


class Raises(nn.Module):
    """Fails in the middle of a pass, but not for the inputs of a probe."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        if float(x.max()) > 1000:
            raise RuntimeError("too large")
        return self.head(torch.sin(hidden))


def smooth_by_numpy(x: Tensor) -> Tensor:
    """A function that leaves torch, so that no exporter can look inside."""
    return torch.from_numpy(np.arctan(x.detach().numpy()))


class LeavesTorch(nn.Module):
    """Takes a value out of torch and back."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 10)
        self.second = nn.Linear(10, 10)
        self.head = nn.Linear(10, 2 * LATENTS)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        return self.head(smooth_by_numpy(self.second(x)))


IMAGE = (1, 8, 8)


@dataclass(frozen=True)
class Pathology:
    """A network's maker, what can capture it, and where hooks meet those sites that are no module's output."""

    make: Callable[[], nn.Module]
    captures: tuple[str, ...] = ("export", "hooks")
    after: dict[str, Tap] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    shape: tuple[int, ...] = (WIDTH,)


# The value after a functional activation is met where the next module takes it in.
PATHOLOGIES: dict[str, Pathology] = {
    "skip connection": Pathology(SkipConnection, absent=("encoder.first@pre",)),
    "reused module": Pathology(
        fixtures.ReusedModule,
        after={
            "encoder.mix": Tap("encoder.mix", "in", 2),
            "encoder.mix#2": Tap("encoder.mix", "in", 3),
            "encoder.mix#3": Tap("encoder.head", "in"),
        },
    ),
    "in-place": Pathology(InPlace, after={"encoder.second": Tap("encoder.third", "in")}),
    "multiple outputs": Pathology(
        fixtures.TupleReturning, after={"encoder.first": Tap("encoder.heads", "in")}, absent=("encoder.heads",)
    ),
    "batch norm": Pathology(BatchNormed, after={"encoder.norm": Tap("encoder.conv2", "in")}, shape=IMAGE),
    "views images": Pathology(ViewsImages, shape=IMAGE),
    "keeps values": Pathology(KeepsValues),
    "writes on its input": Pathology(WritesOnInput, after={"encoder.first": Tap("encoder.head", "in")}),
    "leaves torch": Pathology(LeavesTorch, ("hooks",), {"encoder.first": Tap("encoder.second", "in")}),
    "control flow by row": Pathology(
        RowwiseBranch, ("hooks",), {"encoder.first": Tap("encoder.second", "in")}, ("encoder.left", "encoder.right")
    ),
    "as deep as needed": Pathology(AdaptiveDepth, ("hooks",), absent=("encoder.step#2",)),
    "seldom skipped": Pathology(SeldomSkips, ("hooks",)),
    "fails for some inputs": Pathology(Raises, ("hooks",)),
    "calls by closure": Pathology(CallsByClosure),
}
_DECODER = {
    "decoder.lin1": Tap("decoder.lin2", "in"),
    "decoder.0.lin1": Tap("decoder.0.lin2", "in"),
}


def make_pathology(name: str, seed: int = 0) -> VAE:
    """A VAE whose encoder is one of the pathologies."""
    torch.manual_seed(seed)
    pathology = PATHOLOGIES[name]
    decoder: nn.Module = PlainDecoder(prod(pathology.shape))
    if len(pathology.shape) > 1:
        decoder = nn.Sequential(decoder, nn.Unflatten(1, pathology.shape))
    return VAE(pathology.make(), decoder, LATENTS, pathology.shape)


def taps_of(name: str, components: ComponentMap) -> dict[str, str | Tap]:
    """Where a plain hook meets each site."""
    after = {**_DECODER, **PATHOLOGIES[name].after}
    taps: dict[str, str | Tap] = {}
    for site in components.sites:
        path, _, call = site.name.removesuffix("@pre").partition("#")
        if site.stage == "latent":
            taps[site.name] = site.name
        else:
            taps[site.name] = after.get(site.name, Tap(path, "out", int(call or 1)))
    return taps
