"""Codes drawn by how often they are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class CodeFrequency(ValueSource):
    """At each position a code drawn by its frequency over observed samples."""

    kind = "code_frequency"
    draws = True
    needs = ("moments",)
    estimates = "frequencies of codes"
    is_drawn = True

    def compute(self, runs: SiteRuns) -> Tensor:
        """One-hot codes."""
        import torch

        from causalvae.values._codes import one_hot, uniform_draws

        drawn = uniform_draws(runs, self.seed)
        shares = runs.statistics.known_moments()[0][0].double().reshape(runs.own.shape[1], -1).mean(1)
        ends = shares.cumsum(0) / shares.sum()
        # Rounding must not leave a draw above the last code that is taken at all.
        last = int(shares.nonzero().max())
        return one_hot(torch.searchsorted(ends, drawn.contiguous(), right=True).clamp(max=last), runs.own)
