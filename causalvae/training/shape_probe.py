"""Trains the shipped shape probe: ``python -m causalvae.training.shape_probe --out PATH``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from causalvae.data.dataset import DspritesDataset
from causalvae.data.dsprites import SHAPES
from causalvae.readouts.probe import save_probe
from causalvae.readouts.probe_training import Batch, ProbeRecipe, ProbeTraining, train_probe

# One in this many grid points is held out.
_HELD_OUT = 10


def draw_sprites(n: int, rng: np.random.Generator, held_out: bool = False) -> Batch:
    """Draw sprites from one part of the grid; sprites 2k and 2k + 1 differ only in shape and orientation.

    Parameters
    ----------
    n : int
        Number of sprites.
    rng : Generator
    held_out : bool
        Whether to draw from the held-out tenth of the grid or from the rest.

    Returns
    -------
    images : float32 tensor, shape (n, 1, 64, 64)
    levels : int array, shape (n,)
        0 square, 1 ellipse, 2 heart.
    """
    dataset = DspritesDataset()
    space = dataset.space
    shared = [space.position(name) for name in ("scale", "x", "y")]
    kept: list[np.ndarray] = []
    while sum(len(part) for part in kept) < n:
        levels = dataset.draw(2 * n, rng)
        levels[1::2, shared] = levels[::2, shared]
        # Grid points with the same image belong to the same part.
        first = np.stack([factor.meanings[levels[:, k]] for k, factor in enumerate(space.factors)], axis=1)
        aside = (_scatter(space.index_of(first)) % _HELD_OUT == 0).reshape(-1, 2)
        chosen = aside.all(axis=1) if held_out else ~aside.any(axis=1)
        kept.append(levels.reshape(-1, 2, levels.shape[1])[chosen].reshape(-1, levels.shape[1]))
    levels = np.concatenate(kept)[:n]
    return dataset.inputs(levels), levels[:, space.position("shape")]


def _scatter(index: np.ndarray) -> np.ndarray:
    """Multiplicative hash of grid points (Knuth, vol. 3, 6.4), high bits: (n,)."""
    return (index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)


def train_shape_probe(recipe: ProbeRecipe, held_out: int = 6000, show: bool = False) -> ProbeTraining:
    """Train the shape probe with `recipe`; `show` prints progress; see `train_probe`."""

    def report(step: int, steps: int, loss: float) -> None:
        if show and (step % 100 == 0 or step == steps):
            print(f"step {step} of {steps}: loss {loss:.4f}", flush=True)  # noqa: T201 - this module is a command

    def draw_held_out(n: int, rng: np.random.Generator) -> Batch:
        return draw_sprites(n, rng, held_out=True)

    return train_probe("shape", SHAPES, draw_sprites, draw_held_out, recipe, report, held_out)


def main() -> None:
    """Train the probe and write its weights."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where the safetensors file goes")
    parser.add_argument("--seed", type=int, default=ProbeRecipe.seed)
    parser.add_argument("--steps", type=int, default=ProbeRecipe.steps)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipe = ProbeRecipe(steps=arguments.steps, seed=arguments.seed)
    training = train_shape_probe(recipe, show=True)
    metadata = {
        "made_by": "python -m causalvae.training.shape_probe",
        "recipe": json.dumps(asdict(recipe)),
        "seconds": f"{training.seconds:.0f}",
        "held_out_accuracy": json.dumps(training.accuracy),
        "data": "dSprites as drawn by causalvae.data.dsprites; a tenth of the grid held out",
    }
    save_probe(training.probe, arguments.out, metadata)
    print(json.dumps(metadata, indent=2))  # noqa: T201 - this module is a command


if __name__ == "__main__":
    main()
