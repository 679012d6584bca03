"""The data of the trial: digits, tones, a table of cells and crops of photographs, all made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

RATE, LENGTH, GENES = 8000, 1024, 100
PITCHES = (220.0, 277.2, 329.6, 440.0, 554.4, 659.3)
TYPES = ("T", "B", "NK")


def make_digits(folder: Path, count: int) -> None:
    """Images of digits, three pixels a pixel, and their classes."""
    digits = load_digits()
    small = (digits.images[:count] / 16.0).astype(np.float32)
    images = np.pad(small.repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2)))
    np.savez_compressed(folder / "digits.npz", images=images[:, None], digit=digits.target[:count].astype(np.int64))


def make_tones(folder: Path, count: int) -> None:
    """Waves in [-1, 1] of three timbres, with pitch and loudness."""
    source = np.random.default_rng(0)
    pitch, loudness = source.choice(PITCHES, count), source.choice([0.2, 0.4, 0.6, 0.8], count)
    timbre = source.integers(3, size=count)
    phase = 2 * np.pi * (pitch[:, None] * np.arange(LENGTH) / RATE + source.uniform(0, 1, count)[:, None])
    overtones = {0: (1,), 1: (1, 3, 5), 2: (1, 2, 3, 4)}
    waves = np.stack([sum(np.sin(k * p) / k for k in overtones[t]) for p, t in zip(phase, timbre, strict=True)])
    waves *= loudness[:, None] / 2
    arrays = {"waves": waves[:, None].astype(np.float32), "pitch": pitch, "loudness": loudness, "timbre": timbre}
    np.savez_compressed(folder / "tones.npz", **arrays)


def make_cells(folder: Path, count: int) -> None:
    """Counts of genes, in columns, with cell type and batch as text; written by pandas, so with an index."""
    source = np.random.default_rng(1)
    types, batch = source.choice(TYPES, count, p=[0.5, 0.3, 0.2]), source.choice(["b1", "b2"], count)
    means = np.tile(source.gamma(1.0, 1.0, GENES) + 0.05, (count, 1))
    for place, name in enumerate(TYPES):
        means[types == name, place * 12 : (place + 1) * 12] *= 6
    means[batch == "b2", 60:75] *= 2.5
    means *= source.lognormal(7.0, 0.3, count)[:, None] / means.sum(1, keepdims=True)
    table = pd.DataFrame(source.poisson(means), columns=[f"gene_{gene}" for gene in range(GENES)])
    table.assign(cell_type=types, batch=batch).to_csv(folder / "cells.csv")


def make_photographs(folder: Path, count: int) -> None:
    """Square crops of scikit-learn's two photographs, of different sizes."""
    source, images = np.random.default_rng(0), load_sample_images().images
    (folder / "photos").mkdir(exist_ok=True)
    for number in range(count):
        image = images[number % 2]
        size = int(source.integers(64, 200))
        row, column = (int(source.integers(side - size)) for side in image.shape[:2])
        Image.fromarray(image[row : row + size, column : column + size]).save(folder / "photos" / f"{number:04}.png")
