"""Trains a probe on images similar to reconstructions: blurred, noisy, and blends of two classes.

The images are drawn by a function of the caller; `causalvae.training.shape_probe` uses dSprites.
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
    """Settings of the training of a probe.

    Parameters
    ----------
    steps, batch_size, lr
        Adam steps, images per step, and initial learning rate, which decreases to 2 % by a cosine schedule.
    soften : float
        Share of images that are softened.
    blend : float
        Share of the soft images that are blends of two, with blended targets, like reconstructions between two classes.
    seed : int
        Seed of all draws.
    """

    steps: int = 2000
    batch_size: int = 96
    lr: float = 3e-3
    soften: float = 0.75
    blend: float = 0.25
    seed: int = 0


@dataclass(frozen=True)
class ProbeTraining:
    """A trained probe, the training time in seconds, and the accuracy on held-out images by kind of image."""

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
    """Train a probe; equal recipes and draws give equal weights on the same machine with the same number of threads.

    Parameters
    ----------
    target, labels
        The factor, and its levels.
    draw, draw_held_out : callable
        Functions of a count n and a generator that return images, float (n, 1, 64, 64), and their levels, int (n,).
        The two must never return the same image.
    recipe : ProbeRecipe
    on_progress : callable
        Called after every step with the step, the number of steps and the loss.
    held_out : int
        Number of images for the accuracy.
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
    """Accuracy of the most likely level on `n` images: ``sharp``, ``blurred`` (sigma 1.6) and ``soft``."""
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
        Positive, in pixels.
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
    """Imitate reconstructions with blur, changed edges and brightness, and noise at edges.

    Half of the images are only blurred. In the other half a blurred value b becomes sigmoid(gain * (b - level)), scaled
    such that 0 and 1 are fixed points. The noise has standard deviation amount * 4 p (1 - p) + 0.002, so it is largest
    at edges.
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
    # Images 2k and 2k + 1 are blended; the caller may draw them with the same position and size.
    partner = torch.arange(n_blend) ^ 1
    partner = torch.where(partner < n_soft, partner, torch.arange(n_blend))
    weight = share.reshape(-1, 1, 1, 1)
    blended = weight * soft[:n_blend] + (1 - weight) * soft[partner]
    blended_goal = share[:, None] * soft_goal[:n_blend] + (1 - share[:, None]) * soft_goal[partner]
    soft = soften(torch.cat([blended, soft[n_blend:]]), rng)
    return torch.cat([soft, images[n_soft:]]), torch.cat([blended_goal, goal[:n_soft][n_blend:], goal[n_soft:]])
