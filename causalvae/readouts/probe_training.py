"""Trains a probe on images that look like what an autoencoder paints: blurred, soft-edged, noisy, between two classes.

The images come from the caller (a function of a generator), so this module knows no data set;
`causalvae.training.shape_probe` brings dSprites to it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from causalvae.readouts.probe import Probe

Batch = tuple[Tensor, npt.NDArray[np.int64]]
Draw = Callable[[int, np.random.Generator], Batch]

_MAX_BLUR = 1.6
_REACH = 5


@dataclass(frozen=True)
class ProbeRecipe:
    """How a probe is trained.

    Parameters
    ----------
    steps, batch_size, lr
        Adam steps, images a step, and the learning rate from which a cosine falls to a fiftieth.
    soften : float
        Share of images that are made soft; the rest stay sharp.
    blend : float
        Share of the soft images that are blends of two, with the target blended alike: a decoder that hesitates between
        two classes paints their mean, and the probe should then say so.
    seed : int
        Of everything that is drawn.
    """

    steps: int = 2000
    batch_size: int = 96
    lr: float = 3e-3
    soften: float = 0.75
    blend: float = 0.25
    seed: int = 0


@dataclass(frozen=True)
class ProbeTraining:
    """A trained probe, the seconds it took, and its accuracy on held-out images by kind of image."""

    probe: Probe
    seconds: float
    accuracy: dict[str, float] = field(default_factory=dict)


def train_probe(
    target: str,
    labels: tuple[str, ...],
    draw: Draw,
    draw_held_out: Draw,
    recipe: ProbeRecipe,
    on_progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    held_out: int = 6000,
) -> ProbeTraining:
    """Train a probe; equal recipes and draws give equal weights on the same machine and thread count.

    Parameters
    ----------
    target, labels
        The factor that is read, and its levels.
    draw, draw_held_out : callable
        Each takes a count and a generator and gives images, float tensor (n, 1, 64, 64), and their levels, int (n,).
        The two must never give the same image.
    recipe : ProbeRecipe
        How.
    on_progress : callable
        Called after every step with the step, the number of steps and the loss.
    held_out : int
        Images that the accuracy is measured on.
    """
    began = time.perf_counter()
    torch.manual_seed(recipe.seed)
    probe = Probe(target, labels)
    optimiser = torch.optim.Adam(probe.parameters(), lr=recipe.lr)
    for step in range(recipe.steps):
        rng = np.random.default_rng([recipe.seed, 1, step])
        images, levels = draw(recipe.batch_size, rng)
        goal = functional.one_hot(torch.from_numpy(levels), len(labels)).to(torch.float32)
        images, goal = _augment(images, goal, recipe, rng)
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr * (0.02 + 0.98 * (1 + math.cos(math.pi * step / recipe.steps)) / 2)
        loss = functional.cross_entropy(probe(images), goal)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        on_progress(step + 1, recipe.steps, float(loss.detach()))
    seconds = time.perf_counter() - began
    probe.requires_grad_(False).eval()
    return ProbeTraining(probe, seconds, measure_accuracy(probe, draw_held_out, recipe.seed, held_out))


def measure_accuracy(probe: Probe, draw: Draw, seed: int, n: int) -> dict[str, float]:
    """Share of `n` images whose likeliest level is the true one: ``sharp``, ``blurred`` (sigma 1.6) and ``soft``."""
    rng = np.random.default_rng([seed, 2])
    images, levels = draw(n, rng)
    truth = torch.from_numpy(levels)
    kinds = {
        "sharp": images,
        "blurred": blur(images, torch.full((n,), _MAX_BLUR)),
        "soft": soften(images, rng),
    }
    return {
        kind: float((probe.probabilities(batch).argmax(dim=1) == truth).double().mean())
        for kind, batch in kinds.items()
    }


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, each image with its own standard deviation.

    Parameters
    ----------
    images : Tensor, shape (n, 1, height, width)
    sigma : Tensor, shape (n,)
        In pixels, above 0.
    """
    offsets = torch.arange(-_REACH, _REACH + 1, dtype=images.dtype)
    kernel = torch.exp(-((offsets / sigma[:, None].to(images.dtype)) ** 2) / 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    n = len(images)
    stacked = images.transpose(0, 1)
    stacked = functional.conv2d(stacked, kernel[:, None, :, None], padding=(_REACH, 0), groups=n)
    stacked = functional.conv2d(stacked, kernel[:, None, None, :], padding=(0, _REACH), groups=n)
    return stacked.transpose(0, 1)


def soften(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Imitate reconstructions: blur, an edge of another softness and position, another brightness, noise at the edges.

    Half of the images are only blurred. In the other half a blurred value b becomes sigmoid(gain * (b - level)), moved
    and stretched so that 0 stays 0 and 1 stays 1: a decoder's output is a sigmoid too, and black where no shape is. The
    noise has standard deviation amount * 4 p (1 - p) + 0.002: a decoder is sure of the background and unsure at edges.
    """
    n = len(images)

    def column(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, n).astype(np.float32)).reshape(n, 1, 1, 1)

    blurred = blur(images, column(0.3, _MAX_BLUR).flatten())
    gain, level = column(5.0, 16.0), column(0.4, 0.6)
    floor, ceiling = torch.sigmoid(-gain * level), torch.sigmoid(gain * (1 - level))
    edged = (torch.sigmoid(gain * (blurred - level)) - floor) / (ceiling - floor)
    mixed = torch.where(column(0.0, 1.0) < 0.5, blurred, edged) * column(0.85, 1.0)
    noise = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32))
    return (mixed + (column(0.0, 0.08) * 4 * mixed * (1 - mixed) + 0.002) * noise).clamp(0, 1)


def _augment(images: Tensor, goal: Tensor, recipe: ProbeRecipe, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    n_soft = round(recipe.soften * len(images))
    if n_soft == 0:
        return images, goal
    n_blend = round(recipe.blend * n_soft)
    soft, soft_goal = images[:n_soft], goal[:n_soft]
    share = torch.from_numpy(rng.uniform(0.0, 1.0, n_blend).astype(np.float32))
    # Neighbours are blended: a caller that draws images 2k and 2k + 1 in one place and size gets credible blends.
    partner = torch.arange(n_blend) ^ 1
    partner = torch.where(partner < n_soft, partner, torch.arange(n_blend))
    weight = share.reshape(-1, 1, 1, 1)
    blended = weight * soft[:n_blend] + (1 - weight) * soft[partner]
    blended_goal = share[:, None] * soft_goal[:n_blend] + (1 - share[:, None]) * soft_goal[partner]
    soft = soften(torch.cat([blended, soft[n_blend:]]), rng)
    return torch.cat([soft, images[n_soft:]]), torch.cat([blended_goal, goal[:n_soft][n_blend:], goal[n_soft:]])
