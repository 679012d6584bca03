"""The cells that training sees: a finite screen of controls and of each guide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from causalvae_neighbours.grace.simulation import Cells, World, draw_cells

_CELL_STREAM = 2
_TEST_STREAM = 3


@dataclass(frozen=True)
class Screen:
    """Expression of the cells that training sees.

    Parameters
    ----------
    control : Tensor, shape (cells, genes)
    perturbed : Tensor, shape (guides, cells each, genes)
    """

    control: Tensor
    perturbed: Tensor


def draw_screen(world: World, seed: int, control: int, each: int) -> Screen:
    """A screen of single perturbations; equal seeds give equal cells."""
    rng = np.random.default_rng([seed, _CELL_STREAM])
    codes = np.concatenate([np.zeros(control, dtype=np.int64), np.repeat(np.array(world.singles), each)])
    expression = torch.from_numpy(draw_cells(world, codes, rng).expression).to(torch.float32)
    return Screen(expression[:control], expression[control:].unflatten(0, (world.guides, each)))


def draw_test_cells(world: World, seed: int, code: int, count: int) -> Cells:
    """Cells of one perturbation that training never sees."""
    rng = np.random.default_rng([seed, _TEST_STREAM, code])
    return draw_cells(world, np.full(count, code, dtype=np.int64), rng)
