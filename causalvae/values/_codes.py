"""What sources of other codes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


def uniform_draws(runs: SiteRuns, seed: int | None) -> Tensor:
    """A number in [0, 1) for each pair and position, (rows, *positions), float64."""
    return runs.draw(seed, lambda rng: rng.random(runs.own.shape[2:])).to(runs.own.device)


def one_hot(chosen: Tensor, own: Tensor) -> Tensor:
    """The codes `chosen`, (rows, *positions), in the form of `own`, (rows, codes, *positions)."""
    import torch

    return torch.zeros_like(own).scatter_(1, chosen[:, None], 1.0)
